"""Registered models of an MLflow store: versions under a name, and the alias of one of them."""

from collections.abc import Mapping

from sweeper.track.backend.mlflow import connect
from sweeper.track.backend.mlflow_store import usable


class Registry:
    """The registered models of the store at ``uri``.

    Methods raise :class:`~sweeper.errors.TrackerError` where it cannot be used.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._client = connect(uri)

    def holder(self, name: str, alias: str) -> str | None:
        """Number of the version that ``alias`` of ``name`` points to, None where there is none."""
        with usable(self.uri):
            for model in self._client.search_registered_models(f"name = '{name}'"):
                if alias in model.aliases:
                    return str(model.aliases[alias])
        return None

    def register(self, name: str, model_id: str, tags: Mapping[str, str]) -> str:
        """Number of the version of ``name`` that is a logged model; made if need be."""
        with usable(self.uri):
            if not self._client.search_registered_models(f"name = '{name}'"):
                self._client.create_registered_model(name)
            model = self._client.get_logged_model(model_id)
            versions = self._client.search_model_versions(f"name = '{name}'")
            # stores give versions no model_id; a source models:/ID is looked up in the global store
            number = next(
                (v.version for v in versions if v.source == model.artifact_location), None
            )
            if number is None:
                number = self._client.create_model_version(
                    name, model.artifact_location, model.source_run_id, model_id=model_id
                ).version
            for key, value in tags.items():
                self._client.set_model_version_tag(name, str(number), key, value)
            return str(number)

    def point(self, name: str, alias: str, version: str) -> None:
        """Have ``alias`` of ``name`` point to ``version``; the store does that in one step."""
        with usable(self.uri):
            self._client.set_registered_model_alias(name, alias, version)
