"""How every trial of a study is made: its parameters, its configuration, its job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna
from omegaconf import DictConfig
from optuna.trial import BaseTrial

from sweeper.errors import ConfigError
from sweeper.records import Cause, TrialSpec
from sweeper.search.attributes import OWN_ATTRIBUTES
from sweeper.search.space.cases import bare
from sweeper.search.space.search_space import SearchSpace
from sweeper.search.trials.compose import Composer
from sweeper.search.trials.job import TrialJob


@dataclass(frozen=True)
class TrialPlan:
    """How every trial of the study is made and run.

    ``custom`` is the person's ``custom_search_space``, to be called with each trial; ``make_job``
    turns a trial and its composed configuration into work for its process.
    """

    space: SearchSpace
    composer: Composer
    make_job: Callable[[TrialSpec, DictConfig], TrialJob]
    custom: Callable[[optuna.Trial], None] | None = None
    retries: Mapping[Cause, int] = field(default_factory=dict)
    timeout: float | None = None

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """The parameters of ``trial``, fixed ones of a case among them, by override key.

        Raises:
            ConfigError: the custom search space suggests what is fixed.
        """
        params = self.space.suggest(trial)
        if self.custom is None:
            return params
        fixed = self.space.fixed_values
        for key, value in fixed.items():  # as in hydra-optuna-sweeper, the hook may look at them
            if key not in OWN_ATTRIBUTES:
                trial.set_user_attr(key, value)
        self.custom(trial)  # type: ignore[arg-type]
        both = {bare(key) for key in trial.params.keys() - params.keys()} & set(map(bare, fixed))
        if both:
            where = "hydra.sweeper.custom_search_space"
            raise ConfigError(
                [f"{where} suggests {key}, which is fixed; leave out one" for key in sorted(both)]
            )
        return params | trial.params
