"""Generated command lines, recipes and settings: one message each, and nothing left by a refusal.

``SWEEPER_COMMANDS=5000`` (``make test-commands``) says how many; the suite tries a few.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from entry import WOULD_RUN, Ended, run
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
    "hydra.sweep.subdir",
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
         "a b", "'[b]'", "../up", ".", "-", "~", "%", "***", "a" * 300, "a:b", "no", "???",
         "\u202e", "\x07"]
    ),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=6),
)  # fmt: skip
plain = st.one_of(numbers, words)
references = st.sampled_from(
    ["${nowhere}", "${seed}", "${name}", "${oc.env:NOWHERE}", "${", "${}", "${seed",
     "${backbone.blocks}", "${no_resolver:1}", "${oc.env:HOME}x",
     "${hydra.job.num}", "a/${hydra.job.num}", "${hydra.job.override_dirname}"]
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
counts = st.one_of(
    st.integers(-1, 5).map(str), st.sampled_from(["null", "1.5", "two", "''", "1e9"])
)


def mapping(key: str, **good: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An override of some keys of a mapping, each with its own or any other value."""
    entries = st.one_of(
        *(st.tuples(st.just(name), st.one_of(own, own, plain)) for name, own in good.items()),
        st.tuples(words, plain),
    )
    items = st.lists(entries, max_size=len(good)).map(
        lambda pairs: "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"
    )
    return st.one_of(items, items, items, plain).map(lambda value: f"{key}={value}")


# names that a file system, a database or an address might take for something else
study_names = st.one_of(
    st.sampled_from(
        ["a/b", "'../../up'", "'/abs'", "'a b'", ".", "..", "'~'", "'%2e'", "'a%b'", "'a:b'",
         "con", "'?x'", "'#1'", "é", "日本", "'\u202ename'", "'x\x1b[31m'", "'<b>'", "a" * 300,
         "''", "null", "7", "true", "'a\\b'", "'a;b'", "'$(x)'", "'`x`'", "'-x'",
         "'\N{GRINNING FACE}'"]
    ),
    st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12),
)  # fmt: skip
stores = st.sampled_from(
    ["sqlite:///mine.db", "sqlite://", "sqlite:////no/such/folder/mine.db", "sqlite:mine.db",
     "postgresql://me:secret@127.0.0.1:1/none", "postgresql+psycopg://127.0.0.1:1/none", "mlruns",
     "file:mlruns", "file:///no/such/folder", "http://127.0.0.1:9", "http://", "http://[::1", "://",
     "'http://127.0.0.1:port'", "mysql://127.0.0.1:1/none", "ftp://127.0.0.1/x", "databricks", "''",
     "http://me:secret@127.0.0.1:9", "'sqlite:///a b.db'", "'sqlite:///a%b.db'", "null", "7", "[]"]
)  # fmt: skip
shares = st.one_of(
    st.floats(-0.1, 1.1).map(lambda number: f"{number:.3g}"),
    st.sampled_from(["0", "1", "1.0", "nan", "null", "1e-12", "'0.5'", "[0.8,0.2]"]),
)
splits = st.sampled_from(
    ["train", "test", "null", "'train[:80%]'", "'train[80%:'", "train+test", "''", "7", "'[x]'",
     "../up", "validation", "'train[:-1]'", "all"]
)  # fmt: skip
newest = st.one_of(
    mapping(
        "hydra.sweeper.executor",
        kind=st.sampled_from(["process", "inline", "ray", "slurm"]),
        address=st.sampled_from(["auto", "local", "'127.0.0.1:9'", "'ray://127.0.0.1:9'", "null"]),
        num_cpus=counts,
        num_gpus=counts,
        devices=st.sampled_from(["auto", "cpu", "[0]", "[0,0]", "[-1]", "[x]"]),
        threads=counts,
        trials_per_device=counts,
    ),
    mapping(
        "hydra.sweeper.retries",
        **dict.fromkeys(("killed", "raised", "timeout", "oom", "nonsense", "lost"), counts),
    ),
    mapping("confirm", top=counts, seeds=counts),
    st.one_of(shares, st.just("error")).map("hydra.sweeper.min_gain={}".format),
    counts.map("keep_weights={}".format),
    st.sampled_from(["true", "false", "yes", "1", "null", "maybe"]).map("examine_data={}".format),
    stores.map("tracking.uri={}".format),
    stores.map("hydra.sweeper.storage={}".format),
    st.tuples(
        st.sampled_from(["fraction", "validation_fraction", "test_fraction", "split_seed"]), shares
    ).map(lambda one: f"dataset.{one[0]}={one[1]}"),
    st.tuples(
        st.sampled_from(["train_split", "validation_split", "test_split", "split_column"]), splits
    ).map(lambda one: f"dataset.{one[0]}={one[1]}"),
    st.tuples(
        st.sampled_from(["name", "hydra.sweeper.study_name", "tracking.experiment"]), study_names
    ).map("=".join),
)
overrides = st.one_of(overrides, overrides, newest)
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


# what is asked for by name: nothing of it is there
models = st.one_of(
    st.sampled_from(
        ["mine", "experiments/mine", "../up", ".", "", "x.keras", "/no/such.keras",
         "models:/mine@x", "models:/mine/1", "models:/", "models:/mine/x", "0" * 32,
         "runs:/x/model", "-", "~/mine", "~nobody7/x", 300 * "a"]
    ),
    study_names,
)  # fmt: skip
options_of = {
    "backbones": ["--x", "extra"],
    "cache": [
        "verify",
        "clear",
        "list",
        "--kind",
        "x",
        "--unused-for",
        "-1",
        "1d",
        "--yes",
        "name",
    ],
    "compare": ["--out", "", "x/y.html", "."],
    "completion": ["bash", "zsh", "tcsh", "--x"],
    "dashboard": ["--port", "-1", "70000", "--x", "sqlite:///none.db", "--storage", "ftp://x"],
    "data": ["--out", "", "-m", "dataset=folder", "dataset.path=none", "dataset.path=''", "--x"],
    "evaluate": ["--part", "test", "most", "--out", "", "--trial", "7", "-1", "dataset.path=none"],
    "export": ["--format", "keras", "onnx,x", "", "--out", ".", "--images", "0", "--trial", "x"],
    "improve": ["--trial", "-1", "--uri", "sqlite:///none.db", "ftp://x", "--x"],
    "predict": ["none.jpg", "*.png", "-", "--top", "0", "--json", "--csv", "out.csv", "--batch"],
    "promote": ["--refit", "--soup", "--name", "", "a/b", "--alias", "a b", "--force", "--trial"],
    "report": ["--data", "--quick", "--x", "extra"],
    "serve": ["--host", "", "256.0.0.1", "--port", "70000", "-1", "x"],
    "summary": ["-m", "--layers", "backbone=none", "+experiment=none", "image_size=0", "--cfg"],
    "sync": ["none", "", "--uri", "ftp://x", "http://127.0.0.1:9", "sqlite:///none.db"],
    "sumary": ["x"],
}
asked = st.sampled_from(sorted(options_of)).flatmap(
    lambda name: st.lists(
        st.one_of(models, *[st.sampled_from(options_of[name])] * 2), max_size=5
    ).map(lambda more: [name, *more])
)
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
    with emptied() as folder:
        experiment, text = base
        first = [experiment] if experiment else yaml_of(folder, text) if text else []
        check(run(folder, *first, *options, *words))


@pytest.mark.slow
@given(asked)
@settings(
    max_examples=COMMANDS, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
def test_a_generated_command_about_nothing_ends_with_a_message(words: list[str]) -> None:
    with emptied() as folder:
        check(run(folder, *words))


@contextlib.contextmanager
def emptied() -> Iterator[Path]:
    above = Path(tempfile.mkdtemp())  # ".." of a command is this, and nobody else's
    folder = above / "work"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(above, ignore_errors=True)


def check(ended: Ended) -> None:
    """One message where it is refused, which left nothing; never a traceback."""
    assert "Traceback" not in ended.screen, ended
    assert "should not happen" not in ended.screen, ended
    assert ended.code in (0, 1, 2), ended
    assert ended.code == 0 or ended.screen.strip(), ended
    if ended.code:  # it is refused, or the harness stops it where it would begin
        assert ended.left == (), ended
    if ended.code == 1:
        assert WOULD_RUN not in ended.screen, ended
