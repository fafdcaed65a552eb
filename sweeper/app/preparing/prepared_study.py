"""The hooks of a study of fine-tunes before its first trial: what is checked, fetched, planned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from sweeper.addresses import hide_credentials
from sweeper.app.preparing.default_space import default_space
from sweeper.app.preparing.fine_tune_plan import with_fine_tunes
from sweeper.app.preparing.preflight import check, prebuild, prepare
from sweeper.config import Affects, reported, without
from sweeper.errors import Findings
from sweeper.execute.executor import Executor
from sweeper.search.hooks import Entry, StudyHooks
from sweeper.search.trials.job_folder import folder_of
from sweeper.study_files.study_paths import StudyPaths
from sweeper.validation import parse


class PreparedStudy(StudyHooks):
    """What :class:`~sweeper.app.fine_tune_study.FineTuneStudy` does before its first trial."""

    def __init__(self) -> None:
        self._prebuilt: float | None = None  # until it is recorded
        self._known = "[]"
        self._plan: Sequence[Entry] = ()
        self._splits = ""

    def default_space(self, config: DictConfig) -> Mapping[str, Any]:
        """Rates, depth of unfreezing, batch size, and stochastic depth where it does something."""
        return default_space(config)

    def check(self, candidates: Sequence[DictConfig]) -> None:
        """Parse every candidate, and look whether what it names is there."""
        findings = Findings()
        findings.add(_misplaced(candidates))
        with findings.collected():
            self._recipes = check(candidates)
        findings.raise_if_any()
        for recipe in self._recipes:  # before the processes start that refer to them
            hide_credentials("tracking.uri", recipe.tracking.uri)

    def preflight(self, candidates: Sequence[DictConfig], executor: Executor) -> None:
        """Fetch what the candidates name."""
        self._log = StudyPaths(Path(str(candidates[0].hydra.sweep.dir)).absolute()).prepare_log
        overrides = [list(candidate.hydra.overrides.task) for candidate in candidates]
        self._prepared = prepare(self._recipes, overrides, executor, self._log)
        self._splits = self._prepared.splits

    def plan(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Add data, network, training and MLflow."""
        self._plan = with_fine_tunes(entries, self._recipes, self._prepared)
        return self._plan

    def prebuild(self, executor: Executor) -> None:
        """Decode images, and compute what frozen layers make of them, once for all trials."""
        self._prebuilt, self._known = prebuild(self._recipes, executor, self._log)

    def fingerprint(self, config: DictConfig) -> Mapping[str, Any]:
        """The recipe, and which images are used; where it runs, is recorded, and what follows the
        search may change."""
        recipe = without(parse(config), Affects.PLACE | Affects.AFTERWARDS)
        return {**recipe, "data": self._splits}

    def objectives(self, config: DictConfig) -> tuple[str, ...]:
        """What the recipe is judged by."""
        return tuple(parse(config).objectives)

    def reported(self, config: DictConfig) -> str:
        """What each epoch is judged by."""
        return reported(parse(config).objectives)


def _misplaced(candidates: Sequence[DictConfig]) -> list[str]:
    """A fault where trials would be in folders in which no command finds them."""
    return [
        f"hydra.sweep.subdir: commands find no trial in {candidate.hydra.sweep.subdir}; set it to "
        "trials/<name of one folder>, as trials/${hydra.job.num}"
        for candidate in candidates
        if not StudyPaths(Path(candidate.hydra.sweep.dir).absolute()).has_trial_at(
            folder_of(candidate)
        )
    ]
