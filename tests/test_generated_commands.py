"""Generated command lines, recipes and settings: one message each, and nothing left by a refusal.

``SWEEPER_COMMANDS=5000`` (``make test-commands``) says how many; the suite tries a few.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from entry import WOULD_RUN, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from recipes import composed

from sweeper.paths import conf_dir
from sweeper.search.settings.defaults import PRUNERS, SAMPLERS, SWEEPER
from sweeper.validation import flatten

COMMANDS = int(os.environ.get("SWEEPER_COMMANDS", "30"))
EXPERIMENTS = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))
GROUPS = {
    path.name: sorted(option.stem for option in path.glob("*.yaml"))
    for path in conf_dir().iterdir()
    if path.is_dir() and path.name not in ("experiment", "hydra")
}


def keys_of_recipes() -> list[str]:
    found: set[str] = set()
    for experiment in EXPERIMENTS:
        plain = OmegaConf.to_container(composed(f"+experiment={experiment}"), resolve=False)
        assert isinstance(plain, dict)
        found |= flatten({str(key): value for key, value in plain.items()}).keys()
        found |= {str(key) for key in plain}
    return sorted(
        found | {"phases.frozen", "phases.unfrozen", "loss.class_weight", "optimizer.momentum"}
    )


KEYS = keys_of_recipes()
SEARCH_KEYS = sorted(
    {f"hydra.sweeper.{key}" for key in flatten(SWEEPER)}
    | {f"hydra.sweeper.{key}" for key in SWEEPER}
    | {f"hydra.sweeper.sampler.{key}" for node in SAMPLERS.values() for key in node}
    | {f"hydra.sweeper.pruner.{key}" for node in PRUNERS.values() for key in node}
)
# a folder elsewhere would be made, and two addresses asked for minutes
HYDRA_KEYS = [
    "hydra.job.name",
    "hydra.job.chdir",
    "hydra.verbose",
    "hydra.output_subdir",
    "hydra.mode",
]

numbers = st.one_of(
    st.integers(-3, 70).map(str),
    st.floats(-2, 2).map(lambda number: f"{number:.3g}"),
    st.sampled_from(
        ["0", "-1", "1e-9", "1e400", "nan", "inf", "-inf", "9223372036854775808", "007"]
    ),
)
words = st.one_of(
    st.sampled_from(
        ["null", "true", "false", "auto", "all", "cpu", "adam", "val_loss", "x", "''", "é", "日本",
         "a b", "'[b]'", "../up", ".", "-", "~", "%", "***", "a:b", "no", "???", "\u202e", "\x07"]
    ),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=6),
)  # fmt: skip
plain = st.one_of(numbers, words)
references = st.sampled_from(
    ["${nowhere}", "${seed}", "${name}", "${oc.env:NOWHERE}", "${", "${}", "${seed",
     "${backbone.blocks}", "${no_resolver:1}", "${oc.env:HOME}x"]
)  # fmt: skip


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.lists(st.tuples(words, inner), max_size=2).map(
            lambda pairs: "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"
        ),
    )


values = st.recursive(st.one_of(plain, references), nested, max_leaves=4)
spaces = st.one_of(
    st.lists(values, min_size=1, max_size=3).map(lambda items: f"choice({','.join(items)})"),
    st.tuples(plain, plain).map(lambda ends: f"interval({ends[0]},{ends[1]})"),
    st.tuples(plain, plain).map(lambda ends: f"tag(log,interval({ends[0]},{ends[1]}))"),
    st.tuples(plain, plain).map(lambda ends: f"int(interval({ends[0]},{ends[1]}))"),
    st.lists(plain, min_size=1, max_size=3).map(lambda ends: f"range({','.join(ends)})"),
    st.lists(plain, min_size=2, max_size=3).map(",".join),
    st.sampled_from(
        ["glob(*)", "shuffle(1,2)", "sort(3,1)", "choice()", "interval(1)", "tag(x,1)"]
    ),
)
keys = st.one_of(
    st.sampled_from(KEYS),
    st.sampled_from(KEYS),
    st.sampled_from(SEARCH_KEYS),
    st.sampled_from(HYDRA_KEYS),
)


@st.composite
def misspelled(draw: st.DrawFn) -> str:
    key = draw(keys)
    place = draw(st.integers(0, len(key)))
    return key[:place] + draw(st.sampled_from(["", "x", ".", "@", "/", " "])) + key[place + 1 :]


groups = st.sampled_from(sorted(GROUPS)).flatmap(
    lambda group: st.tuples(
        st.just(group),
        st.one_of(st.sampled_from(GROUPS[group]), st.sampled_from(GROUPS[group]), values),
    )
)
choices = st.one_of(
    groups.map("=".join),
    st.sampled_from(sorted(SAMPLERS)).map(lambda name: f"hydra/sweeper/sampler={name}"),
    st.sampled_from(sorted(PRUNERS)).map(lambda name: f"hydra/sweeper/pruner={name}"),
    st.sampled_from(GROUPS["optimizer"]).map(
        lambda name: f"+optimizer@phases.unfrozen.optimizer={name}"
    ),
)
overrides = st.one_of(
    st.tuples(keys, st.one_of(values, spaces)).map("=".join),
    st.tuples(keys, plain).map("=".join),
    choices,
    st.tuples(st.sampled_from(["+", "++", "~"]), keys, values).map(
        lambda one: f"{one[0]}{one[1]}={one[2]}"
    ),
    st.tuples(misspelled(), plain).map("=".join),
    keys.map(lambda key: f"~{key}"),
)
flags = st.sampled_from(
    [[], [], [], [], ["-m"], ["-m"], ["-m"], ["--cfg", "job"], ["--info"], ["--help"],
     ["--resolve"], ["--package", "x"], ["--cfg", "hydra", "-p", "hydra.sweeper"], ["-x"],
     ["--multirun=1"], ["--run"]]
)  # fmt: skip


def yaml_of(folder: Path, text: str) -> list[str]:
    own = folder / "own" / "experiment"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(text, encoding="utf-8", errors="surrogateescape")
    return ["--config-dir", "own", "+experiment=mine"]


@st.composite
def recipe_texts(draw: st.DrawFn) -> str:
    """A shipped recipe with some of its lines changed, or generated settings in YAML."""
    text = (conf_dir() / "experiment" / f"{draw(st.sampled_from(EXPERIMENTS))}.yaml").read_text()
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        line = lines[place]
        change = draw(st.sampled_from(["drop", "indent", "value", "append", "twice"]))
        if change == "drop":
            lines[place] = ""
        elif change == "indent":
            lines[place] = draw(st.sampled_from([" ", "\t", "  "])) + line
        elif change == "value":
            lines[place] = f"{line.split(':')[0]}: {draw(st.one_of(values, spaces))}"
        elif change == "twice":
            lines.insert(place, line)
        else:
            lines[place] = line + draw(
                st.sampled_from([":", "]", "}", "'", "#", " &a", " *b", " !!x"])
            )
    return "\n".join(lines)


settings_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 100),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(["${nowhere}", "choice(1,2)", "optuna.samplers.TPESampler"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)
settings_texts = st.dictionaries(
    st.sampled_from([key.removeprefix("hydra.sweeper.") for key in SEARCH_KEYS]),
    settings_values,
    min_size=1,
    max_size=3,
).map(lambda found: _HEADER + yaml.safe_dump({"hydra": {"sweeper": tree(found)}}))
_HEADER = "# @package _global_\nname: mine\n"


def tree(flat: dict[str, Any]) -> dict[str, Any]:
    """Dotted keys as a nested mapping."""
    made: dict[str, Any] = {}
    for key, value in flat.items():
        node, parts = made, key.split(".")
        for part in parts[:-1]:
            below = node.setdefault(part, {})
            node[part] = node = below if isinstance(below, dict) else {}
        node[parts[-1]] = value
    return made


bases = st.one_of(
    st.sampled_from(EXPERIMENTS).map(lambda name: (f"+experiment={name}", None)),
    st.just((None, None)),
    recipe_texts().map(lambda text: (None, text)),
    settings_texts.map(lambda text: (None, text)),
)


@pytest.mark.slow
@given(bases, st.lists(overrides, max_size=4), flags)
@settings(
    max_examples=COMMANDS, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
def test_a_generated_command_ends_with_a_message_or_would_run(
    base: tuple[str | None, str | None], words: list[str], options: list[str]
) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        experiment, text = base
        first = [experiment] if experiment else yaml_of(folder, text) if text else []
        ended = run(folder, *first, *options, *words)
        assert "Traceback" not in ended.screen, ended
        assert "should not happen" not in ended.screen, ended
        assert ended.code in (0, 1, 2), ended
        assert ended.code == 0 or ended.screen.strip(), ended
        if ended.code:  # it is refused, or the harness stops it where it would begin
            assert ended.left == (), ended
        if ended.code == 1:
            assert WOULD_RUN not in ended.screen, ended
    finally:
        shutil.rmtree(folder, ignore_errors=True)
