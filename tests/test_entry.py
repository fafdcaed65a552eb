"""What a person may type: one message each, the right exit code, nothing left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from entry import WOULD_RUN, run
from patience import PATIENCE

import sweeper

RECIPES = {
    "broken": "optimizer: [\n",
    "tab": "\tbatch_size: 3\n",
    "nowhere": "hydra: {sweeper: {params: {batch_size: 'choice(8, ${nowhere})'}}}\n",
    "lost": "batch_size: ${nowhere}\n",
    "list": "- a\n- b\n",
    "text": "words\n",
    "twice": "batch_size: 1\nbatch_size: 2\n",
    "group": "defaults: [{override /backbone: nothing}]\n",
    "control": "batch_size: \x07\n",
    "tag": "batch_size: !!python/object:os.system x\n",
    "anchor": "batch_size: *nowhere\n",
    "unknown": "hydra: {nothing: 1}\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "own" / "experiment"
    own.mkdir(parents=True)
    for name, text in RECIPES.items():
        (own / f"{name}.yaml").write_text(f"# @package _global_\nname: mine\n{text}")
    (own / "latin.yaml").write_bytes(b"# @package _global_\nname: caf\xe9\n")
    (own / "folder.yaml").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


LONG = 300 * "a"
"""Longer than a file's name may be."""
PATHS = [
    *(["name=" + LONG], ["hydra.run.dir=x/" + LONG], ["-m", "hydra.sweep.dir=x/" + LONG]),
    ["-m", f"hydra.sweeper.storage=sqlite:///{LONG}"],
    ["-m", f"hydra.sweeper.storage=sqlite:///x/{250 * 'a'}"],
    *([f"tracking.uri=sqlite:///{LONG}"], [f"tracking.uri=sqlite:///x/{LONG}"]),
    *([f"backbone.weights={LONG}"], ["backbone.weights='~nobody7/x.h5'"]),
    *(["dataset=csv", f"dataset.path={LONG}"], ["dataset=csv", "dataset.path=loop/x"]),
    *(["--config-name", LONG], ["--config-dir", LONG], ["--config-dir", "loop"]),
]
COMMANDS = [
    *(["data", "+experiment=digits_lite0", "--out", f"x/{LONG}"], ["compare", LONG]),
    ["compare", "x", "y", "--out", ""],
    *(["compare", "x", "--out", LONG], ["compare", "x", "--out", 250 * "a"], ["report", LONG]),
    *(["predict", LONG, "a.jpg"], ["predict", "~nobody7/x", "a.jpg"], ["export", "loop"]),
    *(["dashboard", "--storage", f"sqlite:///{LONG}"], ["sync", LONG], ["sync", "loop"]),
]
ADDRESSES = [
    *(f"http://{rest}" for rest in ("127.0.0.1:port", "[::1", "a b:80", "me:p:q@127.0.0.1:x", "")),
    *("https://exa mple/x", f"http://{70 * 'a'}.com", "sqlite://", "sqlite:///:memory:"),
    *("postgresql://host:port/x", "postgresql+psycopg://[::1/x", "mysql+pymysql://h:x/y"),
]
TYPED = [
    *(
        pytest.param(words, marks=() if number % 4 == 0 else pytest.mark.more)
        for number, words in enumerate([*PATHS, *([f"tracking.uri='{one}'"] for one in ADDRESSES)])
    ),
    ["freeze=5"],
    ["-m", "optimizer=3"],
    ["head=[7]"],
    ["+augment=null"],
    ["schedule=1e400"],
    ["~dataset=true"],
    ["-m", "hydra.sweeper.timeout=${nowhere}"],
    ["-m", "batch_size=choice(1,${nowhere})"],
    ["-m", "hydra/sweeper/sampler=qmc", "hydra.sweeper.sampler.seed=-1"],
    ["-m", "hydra/sweeper/sampler=grid", "hydra.sweeper.sampler.search_space=x"],
    ["-m", "hydra/sweeper/sampler=nothing"],
    ["-m", "hydra/sweeper=nothing"],
    ["-m", "hydra/launcher=nothing"],
    ["-m", "hydra.sweeper.storage=postgres://me:secret@host/x"],
    ["-m", "hydra.sweeper.storage=nonsense"],
    ["-m", "hydra.sweeper.storage=sqlite://"],
    ["-m", "hydra.sweeper.storage=sqlite:///own"],
    ["-m", "hydra.sweeper.warm_start=other"],
    ["-m", "hydra.sweeper.custom_search_space=no.where"],
    ["-m", "hydra.sweeper.enqueue=[nowhere.yaml]"],
    ["tracking.uri=http://me:secret@127.0.0.1:9"],
    ["tracking.uri=mlruns"],
    ["tracking.uri="],
    ["tracking.experiment="],
    ["dataset=folder", "dataset.path=nowhere"],
    ["dataset=folder", "dataset.path=~nobody/photos"],
    ["dataset=csv", "dataset.path=own"],
    ["backbone=xception", "backbone.weights=nowhere.h5"],
    ["batch_size=0", "dataset=folder", "dataset.path=nowhere", "tracking.uri=mlruns"],
    ["name=../up"],
    ["batch_size=caf\udce9"],
    ["name=a\0b"],
    ["batch_size=" + "[" * 2000],
    ["hydra.run.dir=own/experiment/broken.yaml"],
    ["-m", "hydra.sweep.dir=own/experiment/broken.yaml"],
    ["hydra.run.dir=${nowhere}"],
    ["-m", "hydra.sweep.dir=${nowhere}"],
    ["-m", "hydra.sweep.subdir=${nowhere}"],
    ["-m", "hydra.sweep.subdir=../${hydra.job.num}"],
    ["-m", "hydra.sweep.subdir=/up"],
    ["-m", "hydra.sweep.subdir=x/${hydra.job.num}"],
    ["-m", "hydra.sweep.subdir=trials/x/${hydra.job.num}"],
    ["-m", f"hydra.sweep.subdir={LONG}"],
    ["-m", f"hydra.output_subdir={LONG}"],
    [f"hydra.output_subdir={LONG}"],
    ["-m", f"hydra.sweep.dir={'/'.join([LONG[:250]] * 20)}"],
    [f"hydra.run.dir={'/'.join([LONG[:250]] * 20)}"],
    [f"tracking.uri=sqlite:///{'/'.join([LONG[:250]] * 3)}"],
    ["-m", f"hydra.sweeper.storage=sqlite:///{'/'.join([LONG[:250]] * 3)}"],
    ["hydra.nothing=1"],
    ["hydra.job_logging=1"],
    ["hydra/job_logging=nothing"],
    ["hydra.mode=nothing"],
    ["hydra.verbose=[nothing]", "batch_size=0"],
    ["hydra.verbose=[[40]]"],
    ["-m", "hydra.verbose=[{a:1}]"],
    ["--config-name", "nothing"],
    ["--config-dir", "nothing"],
    ["--config-path", "nothing"],
    ["--cfg", "job", "batch_size=nothing", "freeze=nothing"],
    ["--cfg", "nothing"],
    ["--resolve"],
    ["-m", "--cfg", "job", "--info"],
    ["--nothing"],
    ["nothing"],
    ["="],
    ["+="],
    ["~"],
    ["seed=1,2"],
    *[
        ["--config-dir", "own", f"+experiment={name}"]
        for name in [*RECIPES, "latin", "folder"]
        if name != "nowhere"  # of the search space, which a single fine-tune does not read
    ],
    *[["--config-dir", "own", f"+experiment={name}", "-m"] for name in [*RECIPES, "latin"]],
]


@pytest.mark.parametrize("arguments", TYPED, ids=lambda words: ascii(" ".join(words))[:70])
def test_a_mistake_is_one_message_and_leaves_nothing(arguments: list[str], folder: Path) -> None:
    recipe = [] if "--config-dir" in arguments else ["+experiment=digits_lite0"]
    ended = run(folder, *recipe, *arguments)
    assert ended.code == 2, ended
    assert WOULD_RUN not in ended.screen
    assert "Traceback" not in ended.screen
    assert "should not happen" not in ended.screen
    assert "secret" not in ended.screen
    assert ended.screen.strip()
    assert ended.left == ()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(words, marks=() if number % 4 == 0 else pytest.mark.more)
        for number, words in enumerate(COMMANDS)
    ],
    ids=lambda words: ascii(" ".join(words))[:40],
)
def test_a_command_about_a_path_that_cannot_be_is_one_message(
    words: list[str], folder: Path
) -> None:
    ended = run(folder, *words)
    assert ended.code == 2, ended
    assert "should not happen" not in ended.screen
    assert "Traceback" not in ended.screen
    assert ended.left == ()


@pytest.mark.parametrize(
    "words", [["+experiment=digits_lite0"], ["+experiment=digits_lite0", "-m"], ["report", "x"]]
)
def test_a_folder_that_is_gone_is_one_message(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    ended = subprocess.run(
        [
            *("sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh"),
            *(sys.executable, "-m", "sweeper", *words),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == (
        "the folder that this command runs in is gone; change to one that is there"
    )
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extra", [[], ["-m"], ["-m", "hydra.sweeper.storage=null"]])
def test_a_folder_whose_name_is_not_utf_8_is_refused_at_once(
    extra: list[str], folder: Path
) -> None:
    """The addresses of a study and of its runs could not hold it."""
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9"))
    odd.mkdir()
    ended = run(odd, *extra, "+experiment=digits_lite0")
    assert ended.code == 2
    assert f"the name of {folder}/caf\\xe9 is not UTF-8; rename it" in ended.screen
    assert ended.screen.isascii()
    assert ended.left == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "hydra.sweeper.study_name=" + "n" * 240],
        ["-m", "hydra.sweeper.study_name=../../up"],
        ["-m", "hydra.sweeper.storage=null", "hydra.sweeper.study_name='[old]'"],
        ["-m", "hydra.sweeper.storage=sqlite:///my%20photos.db"],
        ["tracking.experiment=../up"],
        ["hydra.run.dir='my [old] %20 folder'"],
        ["hydra.output_subdir=null"],
        ["-m", "hydra.sweep.subdir=trials/x-${hydra.job.num}"],
        ["-m", "hydra.sweep.subdir=trials/${hydra.job.override_dirname}"],
    ],
    ids=lambda words: ascii(words[-1])[:50],
)
def test_names_of_any_kind_run(arguments: list[str], folder: Path) -> None:
    ended = run(folder, "+experiment=digits_lite0", *arguments)
    assert WOULD_RUN in ended.screen, ended
    assert ended.left == ()


@pytest.mark.parametrize("extra", [[], ["-m"]])
def test_images_that_cannot_fit_into_memory_are_refused_at_once(
    extra: list[str], folder: Path
) -> None:
    ended = run(folder, *extra, "+experiment=digits_lite0", "image_size=20000")
    assert ended.code == 2
    assert "image_size=20000 with batch_size=32 takes 973 GB at least" in ended.screen
    assert ended.left == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "hydra.sweeper.timeout=${nowhere}"],
        ["--config-dir", "own", "+experiment=nowhere", "-m"],
    ],
)
def test_a_reference_to_nothing_is_named(arguments: list[str], folder: Path) -> None:
    ended = run(folder, *arguments)
    assert ended.code == 2
    assert "${nowhere} refers to no key of the configuration; correct it" in ended.screen


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("phases.frozen.epochs=1", "phases.frozen is null in this recipe; leave it out"),
        (
            "schedule.patience=1",
            "schedule has no patience in this recipe, only name, warmup_epochs",
        ),
        ("dataset.name=x", "dataset has no name in this recipe, only"),
        (
            "confirm.top=3",
            "null in this recipe; write both keys at once: 'confirm={top:3,seeds:3}'",
        ),
    ],
)
def test_a_key_that_the_options_of_a_recipe_lack_is_named(
    override: str, why: str, folder: Path
) -> None:
    for more in ((), ("-m",)):
        options = ("phases.frozen=null", "schedule=constant", "dataset=digits")
        ended = run(folder, "+experiment=digits_lite0", *options, override, *more)
        assert ended.code == 2
        assert why in ended.screen
        assert ended.left == ()


def test_without_arguments_it_shows_how_it_is_used(folder: Path) -> None:
    ended = run(folder)
    assert ended.code == 2
    assert "python -m sweeper +experiment=NAME -m " in ended.screen
    assert ended.left == ()


def test_the_version_is_ours(folder: Path) -> None:
    assert run(folder, "--version").screen == f"sweeper {sweeper.__version__}\n"


def test_help_has_examples_groups_and_options(folder: Path) -> None:
    screen = run(folder, "--help").screen
    for text in ("-m, --multirun", "efficientnet_b0", "it continues", "--hydra-help"):
        assert text in screen
    assert "Powered by Hydra" not in screen


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_is_installed(shell: str, folder: Path) -> None:
    ended = run(folder, "-sc", f"install={shell}")
    assert ended.code == 0, ended
    assert "sweeper" in ended.screen


@pytest.mark.parametrize("arguments", [["--help"], ["--info", "defaults"]])
def test_a_reader_that_ends_ends_the_command(arguments: list[str], folder: Path) -> None:
    """As ``| head`` does; what is printed and what Hydra writes as a log alike."""
    with subprocess.Popen(
        [sys.executable, "-m", "sweeper", *arguments], cwd=folder, stdout=PIPE, stderr=PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate(timeout=PATIENCE)
    assert errors.decode() == "the reader of the output has ended: interrupted\n"
    assert process.returncode == 128 + signal.SIGPIPE


def test_what_hydra_reads_late_is_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    ended = run(tmp_path, "+experiment=digits_lite0", "hydra.job.chdir=${no_resolver:1}")
    assert ended.code == 2
    assert "hydra.job.chdir: Unsupported interpolation type no_resolver" in ended.screen
    assert ended.left == ()
