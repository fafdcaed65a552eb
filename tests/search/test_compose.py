"""A trial's configuration is exactly what Hydra would compose for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, RunMode
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import sweeper.search.trials.compose
from sweeper.errors import ConfigError
from sweeper.paths import conf_dir
from sweeper.records import Value
from sweeper.search.space.search_space import SearchSpace
from sweeper.search.trials.compose import Composer

Params = dict[str, Value]
Application = Callable[[], tuple[Composer, OverridesParser]]
"""Gives a composer that has composed nothing yet."""

FILES = {
    "config.yaml": """
        defaults: [db: mysql, scale: '1', size@small: '1', typed: schema, _self_]
        lr: 0.1
        n: 1
        flag: false
        word: a
        absent: null
        unset: ???
        tags: [x, y]
        deep: {a: {b: 1}}
        rate: ${lr}
        called: ${db.name}-${n}
        again: ${deep.a}
        hydra:
          job: {config: {override_dirname: {exclude_keys: [n, db], kv_sep: ':', item_sep: ';'}}}
          sweep: {dir: out, subdir: '${hydra.job.num}-${hydra.job.override_dirname}'}
    """,
    "db/mysql.yaml": "name: mysql\nport: 1\ntimeout: {read: 1}",
    "db/postgres.yaml": "defaults: [_self_, dialect: plain]\nname: postgres\nport: 2.5",
    "db/dialect/plain.yaml": "words: 1",
    "scale/1.yaml": "scale: one",
    "scale/2.yaml": "scale: two",
    "size/1.yaml": "width: 1",
    "size/2.yaml": "width: 2",
}


@dataclass
class Typed:
    rate: float = 0.5
    count: int = 3
    word: str = "w"
    choice: bool | None = None
    table: dict[str, int] = field(default_factory=lambda: {"one": 1})


def opened(folder: Path, name: str, *arguments: str) -> Application:
    """The application with its recipes in ``folder``, as ``-m`` with ``arguments`` finds it."""
    with initialize_config_dir(str(folder), version_base="1.3", job_name="app"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        master = hydra.compose_config(name, list(arguments), run_mode=RunMode.MULTIRUN)
        context = HydraContext(hydra.config_loader, Callbacks())
        parser = OverridesParser.create(config_loader=hydra.config_loader)
    return lambda: (Composer(context, master), parser)


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    store = ConfigStore.instance()
    store.store("schema", Typed, group="typed")
    folder = tmp_path_factory.mktemp("conf")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    yield opened(folder, "config", "hydra.job.name=named", "n=1,2")
    del store.repo["typed"]  # else every later test of this process sees it


def seen(config: DictConfig) -> tuple[object, ...]:
    """All that there is to see of a configuration; 1, 1.0 and True differ here."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    try:
        resolved = repr(OmegaConf.to_container(own, resolve=True))
    except OmegaConfBaseException as error:
        resolved = f"{type(error).__name__}: {error}"
    flags = [node._get_flag(flag) for node in (config, config.hydra) for flag in _FLAGS]
    plain = repr(OmegaConf.to_container(config, resolve=False))
    return plain, resolved, flags, list(_nodes(config))


_FLAGS = ("struct", "readonly", "allow_objects")


def _nodes(node: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    meta = node._metadata
    yield path, type(node).__name__, f"{meta.ref_type} {meta.object_type} {meta.optional}"
    if isinstance(node, DictConfig) and not (node._is_none() or node._is_missing()):
        for key in node:
            yield from _nodes(node._get_node(key), f"{path}.{key}")


def outcome(compose: Callable[[], DictConfig]) -> tuple[object, ...]:
    try:
        return seen(compose())
    except ConfigError as error:
        return error.faults


def check(made: Application, fixed: Sequence[str], sets: Sequence[Mapping[str, Value]]) -> None:
    """One composer makes each of ``sets`` in turn as a full composition does, or fails as that."""
    composer, parser = made()
    space = SearchSpace({}, tuple(fixed), composer, parser)
    for params in sets:
        full = outcome(lambda: composer(space.overrides(params)))  # noqa: B023
        assert outcome(lambda: composer.trial(space, params)) == full  # noqa: B023


numbers = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers()
    | st.booleans()
    | st.sampled_from([0, 1, 1.0, -0.0, 0.0, 1e22, 1e-7, 2**70])
)
words = st.none() | st.sampled_from(["a", "x y", "a=b", "1", "1.0", "true", "null", ""])
lists = st.sampled_from(["[]", "[1,2]", "[a,[b]]", "{}", "{b:7}", "{a:{b:2},c:3}"])
values = numbers | words | lists
VALUES: Mapping[str, st.SearchStrategy[Value]] = {
    "db": st.sampled_from(["mysql", "postgres"]),
    "scale": st.sampled_from(["1", "2", 1, 2]),
    "size@small": st.sampled_from(["1", "2", 1, 2]),
    "+size@big": st.sampled_from(["1", "2", 1, 2]),
    "db.port": numbers,
    "db.timeout.read": numbers,
    "lr": values,
    "+lr": numbers,
    "++lr": values,
    "n": values,
    "word": values,
    "absent": values,
    "unset": values,
    "tags": values,
    "tags.0": numbers,
    "deep": values,
    "deep.a": values,
    "deep.a.b": numbers,
    "again.b": numbers,
    "+new": values,
    "+deep.a.new": values,
    "++made.up": values,
    "typed.rate": numbers | words,
    "typed.count": numbers | words,
    "typed.word": numbers | words,
    "typed.choice": numbers | words,
    "+typed.table.two": numbers,
    "hydra.verbose": st.booleans(),
    "hydra.job.config.override_dirname.item_sep": st.sampled_from([",", 3, 3.5]),
    "hydra.sweep.subdir": words,
}
FIXED = ("word=b", "~flag", "+more=[1,2]", "db=postgres", "hydra.verbose=true", "deep={b: 2}")


@st.composite
def trials(draw: st.DrawFn) -> tuple[list[str], list[Params]]:
    fixed = draw(st.lists(st.sampled_from(FIXED), unique=True, max_size=2))
    keys = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, min_size=1, max_size=4))
    one = st.fixed_dictionaries({key: VALUES[key] for key in keys})
    return fixed, draw(st.lists(one, min_size=2, max_size=3))


@given(trials())
@settings(max_examples=10, deadline=None)
def test_any_trial_is_composed_as_hydra_does(
    application: Application, drawn: tuple[list[str], list[Params]]
) -> None:
    check(application, *drawn)


@pytest.mark.more
@pytest.mark.slow
@given(trials())
@settings(max_examples=15, deadline=None)
def test_many_trials_are_composed_as_hydra_does(
    application: Application, drawn: tuple[list[str], list[Params]]
) -> None:
    check(application, *drawn)


@pytest.mark.more
@given(trials())
@settings(max_examples=300, deadline=None)
def test_very_many_trials_are_composed_as_hydra_does(
    application: Application, drawn: tuple[list[str], list[Params]]
) -> None:
    check(application, *drawn)


@pytest.mark.parametrize(
    "sets",
    [
        [{"lr": 0.5}, {"lr": None}, {"lr": "a"}, {"lr": 1}, {"lr": True}],
        pytest.param([{"scale": 1}, {"scale": 2}], marks=pytest.mark.more),
        [{"hydra.verbose": True}, {"hydra.verbose": False}],
        pytest.param(
            [{"tags.0": 5, "tags": "[7,8]"}, {"tags": "[7,8]", "tags.0": 5}], marks=pytest.mark.more
        ),
        [{"deep": "{a:{b:2}}", "deep.a.b": 3}, {"deep.a.b": 3, "deep": "{a:{b:2}}"}],
        pytest.param([{"lr": 1, "++lr": "a"}, {"lr": 2, "++lr": "a"}], marks=pytest.mark.more),
        [{"n": 1}, {"lr": 1}, {"lr": 1, "n": 2}, {"n": 2, "lr": 1}],
        pytest.param(
            [{"db": "postgres", "db.port": 3}, {"db": "mysql", "db.port": 3}],
            marks=pytest.mark.more,
        ),
        pytest.param(
            [{"typed.count": 1}, {"typed.count": 2.5}, {"typed.count": 3}], marks=pytest.mark.more
        ),
        [{"+new": 1}, {"+new": 2.5}, {"+new": "[1]"}],
    ],
)
def test_trials_that_could_be_taken_for_one_another(
    application: Application, sets: list[Params]
) -> None:
    check(application, (), sets)


def test_another_space_of_the_same_composer_has_its_own_fixed_values(
    application: Application,
) -> None:
    composer, parser = application()
    for word in ("b", "c"):
        space = SearchSpace({}, (f"word={word}",), composer, parser)
        assert composer.trial(space, {"n": 1}).word == word


def test_an_impossible_number_is_reported_with_the_reason(application: Application) -> None:
    composer, parser = application()
    space = SearchSpace({}, (), composer, parser)
    composer.trial(space, {"typed.count": 1})
    with pytest.raises(ConfigError, match=r"override typed.count=2.5: Value '2.5' of type 'float'"):
        composer.trial(space, {"typed.count": 2.5})


def test_a_trial_may_change_its_configuration(application: Application) -> None:
    composer, parser = application()
    space = SearchSpace({}, (), composer, parser)
    before = seen(composer.trial(space, {"n": 1}))
    changed = composer.trial(space, {"n": 1})
    changed.deep.a.b = 99
    changed.hydra.job.num = 5
    assert seen(composer.trial(space, {"n": 1})) == before


def test_old_configurations_are_forgotten_and_composed_again(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper.search.trials.compose, "_KEPT", 2)
    composer, parser = application()
    space = SearchSpace({}, (), composer, parser)
    for word in ("a", "b", "a", "c", "b"):
        assert composer.trial(space, {"word": word}).word == word
    assert len(composer._kept) == 2


def test_slots_may_compose_at_the_same_time(application: Application) -> None:
    composer, parser = application()
    space = SearchSpace({}, (), composer, parser)
    sets = [{"n": n, "db": db} for n in range(4) for db in ("mysql", "postgres")]
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda params: composer.trial(space, params), sets))
    for params, config in zip(sets, made, strict=True):
        assert seen(config) == seen(composer(space.overrides(params)))


def test_the_own_recipes() -> None:
    # the plugin's resolvers are the entry's
    import sweeper.app.task  # noqa: F401

    arguments = ("+experiment=digits_lite0", "backbone=xception,efficientnet_b0")
    sets: list[Params] = [
        {"backbone": backbone, "phases.unfrozen.learning_rate": rate, "image_size": size}
        | {"optimizer": optimizer, "drop_connect_rate": drop, "+optimizer.beta_1": rate}
        for backbone, rate, size, optimizer, drop in [
            ("xception", 0.1, 64, "adam", None),
            ("xception", 1e-5, 96, "adam", 0.25),
            ("efficientnet_b0", 1, 96, "adamw", None),
            ("xception", 1e-5, 96, "adam", None),
        ]
    ]
    check(opened(conf_dir(), "config", *arguments), ("+experiment=digits_lite0", "seed=3"), sets)


def test_credentials_of_stores_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hydra writes its node, and the overrides of it, beside each trial."""
    address = "postgresql://me:geheim@host/studies"
    (tmp_path / "config.yaml").write_text(
        f"hydra: {{sweeper: {{storage: '{address}', list: [{{uri: '{address}'}}]}}}}\nn: 1\n"
        "defaults: [override hydra/sweeper: async_optuna, _self_]"
    )
    for name in ("STORAGE", "STUDY_NAME", "LIST_0_URI"):
        monkeypatch.setenv(f"SWEEPER_{name}", "")
    line = f"hydra.sweeper.study_name='{address}'"
    composer, _ = opened(tmp_path, "config", line)()
    config = composer(("n=2",))
    assert "geheim" not in OmegaConf.to_yaml(config)
    assert config.hydra.sweeper.storage == address
    assert config.hydra.sweeper.list[0].uri == address


def test_a_key_below_null_is_named_with_what_to_do(application: Application) -> None:
    composer, _ = application()
    with pytest.raises(ConfigError) as caught:
        composer(("deep.a=null", "deep.a.b=2"))
    (fault,) = caught.value.faults
    assert fault.startswith("cannot set deep.a.b: deep.a is null in this recipe; leave it out, or")
    with pytest.raises(ConfigError, match="cannot set nowhere: the recipe has no nowhere"):
        composer(("nowhere=2",))
