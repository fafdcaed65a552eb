"""What the documentation shows works: ``>>>`` examples, and commands up to their first trial."""

import doctest
import importlib
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from entry import WOULD_RUN, run
from PIL import Image

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "sweeper").rglob("*.py")
    if ">>>" in path.read_text()
)


_TEXT = {".py", ".md", ".yaml", ".txt"}


def commands() -> Iterator[tuple[str, str]]:
    """Command lines of the job in blocks of code, with the page they stand on."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("python -m sweeper "):
                    yield page.name, re.sub(r"\s#.*", "", line).strip()


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_give_what_they_show(module: str) -> None:
    with mock.patch.dict(os.environ):  # credentials go there
        found = doctest.testmod(importlib.import_module(module))
    assert found.attempted
    assert not found.failed


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_commands_of_the_documentation_run(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")  # whatever cluster another test has
    # three dots stand for any recipe
    words = ["+experiment=digits_lite0" if w == "..." else w for w in shlex.split(line)[3:]]
    if any("<" in word or word.isupper() for word in words):
        pytest.skip("it has a placeholder")
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(9):
            Image.new("RGB", (40, 40), (number, 0, 0)).save(
                tmp_path / f"photos/{name}/{number}.png"
            )
    ended = run(tmp_path, *words)
    shows = {"--help", "--cfg", "--hydra-help", "-sc", "--version"} & set(words)
    # neither data nor weights can be fetched here, and no cluster runs; that they are not there
    # comes after all checks
    lacking = ("are not here", "is not prepared", "no Ray cluster answers there")
    absent = any(words in ended.screen for words in lacking)
    assert ended.code == 0 if shows else WOULD_RUN in ended.screen or absent, ended.screen


def test_nothing_installs_the_package_of_another_project() -> None:
    """``sweeper`` on the package index is one; ours is named in pyproject.toml."""
    tracked = [ROOT / "README.md", ROOT / "pyproject.toml", ROOT / "Makefile"]
    for folder in ("sweeper", "docs", "conf", "experiments"):
        tracked += [path for path in (ROOT / folder).rglob("*") if path.suffix in _TEXT]
    wrong = re.compile(r"""pip install(?: -\S+)* ['"]?sweeper(?!-)|["']sweeper\[""")
    assert not [path for path in tracked if wrong.search(path.read_text(encoding="utf-8"))]


def test_files_that_the_documentation_names_are_there() -> None:
    pages = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "experiments" / "README.md")
    roots = "conf|docs|experiments|hydra_plugins|sweeper|tests"
    rooms = "|".join(folder.name for folder in (ROOT / "sweeper").iterdir() if folder.is_dir())
    absent = [
        (page.name, name)
        for page in pages
        for above, pattern in (
            (ROOT, rf"`((?:{roots})/[\w./-]+)`"),
            (ROOT / "sweeper", rf"`((?:{rooms})/[\w./-]+\.py)`"),
        )
        for name in re.findall(pattern, page.read_text())
        # a file that is to be written is called name
        if "name" not in Path(name).stem and not (above / name).exists()
    ]
    assert not absent
