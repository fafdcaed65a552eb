"""Registered models of an MLflow store: versions under a name, and the alias of one of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeper.track.mlflow import connect
from sweeper.track.mlflow_store import usable

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class Version:
    """A version of a registered model; ``model_id`` is that of the logged model behind it."""

    number: str
    model_id: str


class Registry:
    """The registered models of the store at ``uri``.

    Methods raise :class:`~sweeper.errors.TrackerError` where it cannot be used.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._client = connect(uri)

    def holder(self, name: str, alias: str) -> Version | None:
        """The version of ``name`` that ``alias`` points to, None where there is none."""
        with usable(self.uri):
            for model in self._client.search_registered_models(f"name = '{name}'"):
                if alias in model.aliases:
                    return _version(self._client.get_model_version(name, model.aliases[alias]))
        return None

    def register(self, name: str, model_id: str, tags: Mapping[str, str]) -> Version:
        """The version of ``name`` that is the logged model ``model_id``, made if need be."""
        with usable(self.uri):
            if not self._client.search_registered_models(f"name = '{name}'"):
                self._client.create_registered_model(name)
            for known in self._client.search_model_versions(f"name = '{name}'"):
                if known.model_id == model_id:
                    found = known
                    break
            else:
                model = self._client.get_logged_model(model_id)
                found = self._client.create_model_version(
                    name, f"models:/{model_id}", model.source_run_id, model_id=model_id
                )
            for key, value in tags.items():
                self._client.set_model_version_tag(name, found.version, key, value)
            return _version(found)

    def point(self, name: str, alias: str, version: Version) -> None:
        """Have ``alias`` of ``name`` point to ``version``; the store does that in one step."""
        with usable(self.uri):
            self._client.set_registered_model_alias(name, alias, version.number)


def _version(found: "ModelVersion") -> Version:
    return Version(str(found.version), str(found.model_id or ""))
