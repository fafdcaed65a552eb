"""Commands by name: help without anything heavy, what is wrong in one sentence, completion."""

import ast
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import entry
import pytest
from patience import PATIENCE

import sweeper.commands
from sweeper.commands import COMMANDS
from sweeper.commands.page import page

HEAVY = ("tensorflow", "keras", "hydra", "omegaconf", "mlflow", "optuna", "pydantic", "rich")
PARTS = {"main", "model_command", "page", "recipe_command"}
"""Modules of the package that are no commands."""


def test_every_module_of_the_package_is_a_command_of_the_table() -> None:
    (folder,) = sweeper.commands.__path__
    modules = {path.stem for path in Path(folder).iterdir() if path.stem.strip("_") == path.stem}
    assert modules - PARTS == set(COMMANDS)
    assert list(COMMANDS) == sorted(COMMANDS)


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["cache", "clear"]])
def test_help_imports_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    code = f"""
import sys
from sweeper.__main__ import main
sys.argv[1:] = [*{command!r}, "--help"]
try:
    main()
finally:
    print(sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    *shown, imported = ended.stdout.splitlines()
    assert imported == "[]"
    assert shown[0].startswith(f"Usage: sweeper {' '.join(command)}" if command else "sweeper fine")


def test_the_page_of_help_is_the_one_that_hydra_prints(tmp_path: Path) -> None:
    for option in ("--help", "-h"):
        assert entry.run(tmp_path, option).screen == f"{page()}\n"
    assert entry.run(tmp_path, "--help", "seed=1").screen == f"{page()}\n"
    for name, what in COMMANDS.items():
        assert f"  sweeper {name:<12} {what}\n" in page()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cahce"], "'cahce' is no command and no override (key=value); did you mean 'cache'?"),
        (["zzz"], "'zzz' is no command and no override (key=value); sweeper --help lists"),
        ([""], "'' is no command and no override"),
        (["cahce", "list"], "did you mean 'cache'?"),
        (["cache", "verfy"], "sweeper cache: No such command 'verfy'"),
        (["cache", "clear", "--knid=x"], "sweeper cache clear: No such option '--knid'"),
        (["completion", "bsh"], "sweeper completion: Invalid value for"),
        (["summary"], "sweeper summary: Missing argument 'OVERRIDES...'."),
        (
            ["summary", "+experiment=digits_lite0", "image_size=0"],
            "image_size must be >= 32, got 0",
        ),
        (["summary", "+experiment=nothing"], "experiment has no option 'nothing'"),
        (["+experiment=digits_lite0", "cache"], "'cache' is no override (key=value); a command"),
        (["-m", "cache"], "a command comes first: sweeper COMMAND"),
    ],
)
def test_what_is_wrong_is_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    ended = entry.run(tmp_path, *arguments)
    assert ended.code == 2
    assert sentence in ended.screen
    assert "Traceback" not in ended.screen
    assert ended.left == ()


def test_a_reader_that_ends_ends_a_command(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sweeper", "backbones"], cwd=tmp_path, stdout=PIPE, stderr=PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate(timeout=PATIENCE)
    assert errors.decode() == "the reader of the output has ended: interrupted\n"
    assert process.returncode == 128 + signal.SIGPIPE


def test_a_command_composes_the_recipes_of_other_folders(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    recipe = "# @package _global_\nname: mine\nimage_size: 0\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(recipe)
    ended = entry.run(tmp_path, "summary", "--config-dir", str(tmp_path), "+experiment=mine")
    assert "image_size must be >= 32, got 0" in ended.screen


@pytest.mark.more
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["c"], {"cache", "completion"}),
        ([""], set(COMMANDS)),
        (["cache", ""], {"clear", "list", "verify"}),
        (["cache", "clear", "--k"], {"--kind"}),
        (["completion", "b"], {"bash"}),
        (["summary", "--l"], {"--layers"}),
        (["summary", "+experiment=dogs"], {"+experiment=dogs_b0", "+experiment=dogs_b0_scratch"}),
        (["+experiment=digits_lite0", "schedule=c"], {"schedule=constant", "schedule=cosine"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bash_completes_words(words: list[str], expected: set[str], tmp_path: Path) -> None:
    script = """
eval "$(sweeper completion bash)"
COMP_WORDS=(sweeper "$@") COMP_CWORD=$#
# what bash calls for the command, and what it reads after that
read -ra how <<< "$(complete -p sweeper)"
"${how[-2]}" sweeper
printf '%s\\n' "${COMPREPLY[@]}"
"""
    installed = Path(sys.executable).parent
    ended = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", *words],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = set(ended.stdout.splitlines())
    assert expected <= found, ended.stderr
    assert all(word.startswith(words[-1]) for word in found)
    assert list(tmp_path.iterdir()) == []


def test_modules_of_commands_import_click_and_little_else() -> None:
    """At their top: what runs a command is imported when it runs."""
    (folder,) = sweeper.commands.__path__
    for name in COMMANDS:
        file = Path(folder, name, "__init__.py")
        source = file if file.exists() else Path(folder, f"{name}.py")
        tree = ast.parse(source.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        ours = {node.module for node in top if node.module and node.module.startswith("sweeper")}
        light = {f"sweeper.commands.{name}" for name in ("model_command", "recipe_command")}
        light |= {"sweeper.export.file_formats"}  # names that the help shows
        assert ours <= {"sweeper.commands", *light}, name
