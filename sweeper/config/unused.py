"""Keys of a recipe that change nothing, because of another key beside them.

A search over such a key spends trials on equal results, so it is named before the first one. What
only the network's graph can tell is in :mod:`sweeper.models.unreached`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sweeper.config.affects import Affects, keys_of
from sweeper.config.data import Auto, Split
from sweeper.config.recipe import Recipe
from sweeper.config.schedule import Cosine, Plateau, Table
from sweeper.config.training import Optimizer, Phase


@dataclass(frozen=True)
class Unused:
    """``key``, and everything below it, changes nothing; ``reason`` names the key that decides."""

    key: str
    reason: str

    def covers(self, key: str) -> bool:
        """Whether ``key`` is this one or below it."""
        return key == self.key or key.startswith(f"{self.key}.")


_ELSEWHERE = frozenset(keys_of(Recipe, Affects.PLACE | Affects.RECORD | Affects.AFTERWARDS))


def unused(recipe: Recipe) -> Iterator[Unused]:
    """Each key that changes nothing in ``recipe``, once for each reason."""
    yield from _phases(recipe)
    yield from _freezing(recipe)
    yield from _optimizers(recipe)
    yield from _schedules(recipe)
    yield from _early_stopping(recipe)
    yield from _data(recipe)


def unused_overrides(recipes: Sequence[Recipe], lines: Sequence[Sequence[str]]) -> list[str]:
    """A sentence for each key that an override sets, and that changes nothing in some recipe.

    Args:
        recipes: one, or those of a search, which between them hold what it can do.
        lines: of each recipe the overrides ``key=value`` that made it, searched ones among them.
    """
    given = [dict(map(_key_and_value, of_recipe)) for of_recipe in lines]
    values: dict[str, set[str]] = {}
    for overrides in given:
        for key, value in overrides.items():
            values.setdefault(key, set()).add(value)
    searched = {key for key, found in values.items() if len(found) > 1}
    reasons: dict[tuple[str, str], int] = {}
    for recipe, overrides in zip(recipes, given, strict=True):
        for one in (*unused(recipe), *_elsewhere()):
            keys = searched & overrides.keys() if one.key in _ELSEWHERE else overrides
            for key in keys:
                if one.covers(key):
                    reasons[key, one.reason] = reasons.get((key, one.reason), 0) + 1
    return [
        f"{key} changes nothing {reason}{_remedy(key in searched, count == _in(given, key))}"
        for (key, reason), count in reasons.items()
    ]


def _key_and_value(line: str) -> tuple[str, str]:
    """An override's place in the recipe, and its value: a group may have a package of its own."""
    key, _, value = line.partition("=")
    return key.lstrip("+~").split("@")[-1].replace("/", "."), value


def _in(given: Sequence[Mapping[str, str]], key: str) -> int:
    return sum(key in overrides for overrides in given)


def _remedy(searched: bool, always: bool) -> str:
    if not searched:
        return ""
    return "; do not search it" if always else "; give it a condition (when:), see docs/search.md"


def _elsewhere() -> Iterator[Unused]:
    for key in _ELSEWHERE:
        yield Unused(key, "in what a trial gives")


def _phases(recipe: Recipe) -> Iterator[Unused]:
    if recipe.freeze.scratch:
        for name in ("frozen", "unfrozen"):
            yield Unused(
                f"phases.{name}.learning_rate",
                "with freeze=scratch, whose one phase has optimizer.learning_rate",
            )
        yield Unused("backbone.weights", "with freeze=scratch, which begins with random ones")
        return
    for name, phase in _named(recipe).items():
        if phase is None:
            for key in Phase.model_fields:
                yield Unused(f"phases.{name}.{key}", f"with phases.{name}=null")


def _named(recipe: Recipe) -> dict[str, Phase | None]:
    return {"frozen": recipe.phases.frozen, "unfrozen": recipe.phases.unfrozen}


def _active(recipe: Recipe) -> dict[str, Phase]:
    return {name: phase for name, phase in _named(recipe).items() if phase is not None}


def _freezing(recipe: Recipe) -> Iterator[Unused]:
    if recipe.phases.unfrozen is None:
        why = "with phases.unfrozen=null, where the head alone trains"
        yield Unused("freeze", why)
    elif recipe.freeze.unfreeze_blocks == 0:
        why = "with freeze.unfreeze_blocks=0, where the head alone trains"
        yield Unused("freeze.batch_norm", why)
    else:
        return
    yield Unused("drop_connect_rate", why)
    for key in ("optimizer", *(f"phases.{name}.optimizer" for name in _active(recipe))):
        yield Unused(f"{key}.layer_decay", why)


def _optimizers(recipe: Recipe) -> Iterator[Unused]:
    phases = _active(recipe)
    own = {name: phase.optimizer for name, phase in phases.items() if phase.optimizer}
    if len(own) == len(phases):
        why = f"with an optimizer of its own for {_and(f'phases.{name}' for name in own)}"
        for key in recipe.optimizer.model_fields_set | recipe.optimizer.keywords.keys():
            if key != "learning_rate":
                yield Unused(f"optimizer.{key}", why)
        yield Unused("optimizer", why)
    elif all(phase.learning_rate != recipe.optimizer.learning_rate for phase in phases.values()):
        rates = _and(f"phases.{name}.learning_rate" for name in phases)
        yield Unused("optimizer.learning_rate", f"where {rates} counts instead")
    yield from _keywords("optimizer", recipe.optimizer)
    for name, optimizer in own.items():
        key = f"phases.{name}.optimizer"
        yield Unused(f"{key}.learning_rate", f"where phases.{name}.learning_rate counts instead")
        yield from _keywords(key, optimizer)


def _and(names: Iterable[str]) -> str:
    return " and ".join(names)


def _keywords(key: str, optimizer: Optimizer) -> Iterator[Unused]:
    if not optimizer.use_ema:
        for name in ("ema_momentum", "ema_overwrite_frequency"):
            yield Unused(f"{key}.{name}", f"with {key}.use_ema=false")
    if optimizer.name == "SGD" and not optimizer.keywords.get("momentum", 0):
        yield Unused(f"{key}.nesterov", f"with {key}.momentum=0")


def _schedules(recipe: Recipe) -> Iterator[Unused]:
    phases = _active(recipe)
    shared = [phase for phase in phases.values() if phase.schedule is None]
    if not shared:
        yield Unused("schedule", "with a schedule of its own for each phase")
    groups = {"schedule": (recipe.schedule, shared)}
    for name, phase in phases.items():
        if phase.schedule is not None:
            groups[f"phases.{name}.schedule"] = (phase.schedule, [phase])
    for key, (schedule, users) in groups.items():
        longest = max((phase.epochs for phase in users), default=0)
        ends = f"in phases of at most {longest} epochs"
        if isinstance(schedule, Cosine) and 0 < longest <= schedule.warmup_epochs:
            yield Unused(f"{key}.final_fraction", f"with {key}.warmup_epochs={longest} {ends}")
        if isinstance(schedule, Table) and 0 < longest <= schedule.steps[0][0]:
            yield Unused(f"{key}.steps", ends)
        if isinstance(schedule, Plateau) and 0 < longest <= schedule.patience:
            for name in ("monitor", "factor", "patience", "min_delta", "min_learning_rate"):
                yield Unused(f"{key}.{name}", f"with {key}.patience={schedule.patience} {ends}")


def _early_stopping(recipe: Recipe) -> Iterator[Unused]:
    stopping = recipe.early_stopping
    if stopping.patience is None:
        yield Unused("early_stopping.min_delta", "with early_stopping.patience=null")
        if not stopping.restore_best:
            yield Unused(
                "early_stopping.monitor",
                "with early_stopping.patience=null and restore_best=false",
            )
        return
    longest = max(phase.epochs for phase in _active(recipe).values())
    if stopping.patience >= longest:
        why = f"with early_stopping.patience={stopping.patience} in phases of {longest} epochs"
        yield Unused("early_stopping.patience", why)
        yield Unused("early_stopping.min_delta", why)


def _data(recipe: Recipe) -> Iterator[Unused]:
    augment, phases = recipe.augment, recipe.phases
    if not augment.rand_augment:
        yield Unused("augment.rand_augment_magnitude", "with augment.rand_augment=0")
    if augment.changes_nothing:
        yield Unused("cache.views", "with augment=none, where each image has one view")
    elif not recipe.cache.budget_gb:
        yield Unused("cache.views", "with cache.budget_gb=0, where no view is kept")
    elif phases.frozen is None and recipe.freeze.unfreeze_blocks in ("all", recipe.backbone.blocks):
        yield Unused("cache.views", "where every layer trains, on images")
    if not isinstance(recipe.validation, Auto | Split):
        kind = recipe.validation.kind
        yield Unused("dataset.validation_fraction", f"with validation={kind}")
