"""Nothing that may come from a stranger is read in a way that could run code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sweeper

ROOT = Path(sweeper.__file__).parent
MODULES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))
PICKLES = {
    # between processes of one sweep, over pipes that no other process has
    *("execute/worker.py", "execute/outcome.py", "search/trials/job.py"),
    # between machines of one cluster
    *("execute/on_ray/actor_work.py", "execute/on_ray/sent_work.py"),
    # reads torch files by an unpickler of its own, which knows tensors only
    "models/pretrained/torch_legacy.py",
}
"""Modules that may take a pickle apart."""
REFUSED = {"eval", "exec", "extractall", "unpack_archive", "read_pickle", "full_load"}
"""What runs code, or writes wherever an archive says."""
LIBRARIES = {"marshal", "shelve", "dill", "joblib", "torch"}


def calls(module: str) -> Iterator[tuple[str, dict[str | None, ast.expr], str]]:
    """The last name of what is called, the keywords, and all of it as text."""
    for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            whole = ast.unparse(node.func)
            yield whole.rpartition(".")[2], {one.arg: one.value for one in node.keywords}, whole


def is_constant(keyword: ast.expr | None, value: object) -> bool:
    return isinstance(keyword, ast.Constant) and keyword.value is value


def unsafe(module: str) -> list[str]:
    found = []
    for name, keywords, whole in calls(module):
        if name in REFUSED or whole.startswith(tuple(f"{one}." for one in LIBRARIES)):
            found.append(whole)
        if whole in {"np.load", "numpy.load"} and not is_constant(
            keywords.get("allow_pickle"), False
        ):
            found.append(f"{whole} without allow_pickle=False")
        of_keras = name == "load_model" and not whole.startswith("mlflow.")
        if of_keras and not is_constant(keywords.get("safe_mode"), True):
            found.append(f"{whole} without safe_mode=True")
        if whole == "yaml.load" and "SafeLoader" not in (ROOT / module).read_text():
            found.append("yaml.load without a safe loader")
        if whole.startswith("yaml.") and name in {"unsafe_load", "load_all"}:
            found.append(whole)
        if "pickle" in whole and name in {"load", "loads", "Unpickler"} and module not in PICKLES:
            found.append(f"{whole} in another module than those that may")
    return found


def test_no_module_reads_unsafely() -> None:
    found = {module: unsafe(module) for module in MODULES}
    assert {module: faults for module, faults in found.items() if faults} == {}


def test_each_exception_is_needed() -> None:
    assert [one for one in sorted(PICKLES) if "ickl" not in (ROOT / one).read_text()] == []


def test_servers_listen_on_this_machine_alone() -> None:
    from sweeper.commands.serve import command

    (host,) = (option for option in command.params if option.name == "host")
    assert host.default == "127.0.0.1"
    found = {
        (module, keywords["host"].value)
        for module in MODULES
        for _, keywords, whole in calls(module)
        if isinstance(keywords.get("host"), ast.Constant) and "option" not in whole
    }
    assert found == {("commands/dashboard.py", "127.0.0.1")}
    assert [module for module in MODULES if "0.0.0.0" in (ROOT / module).read_text()] == []


@pytest.mark.skipif(not (ROOT.parent / "Makefile").exists(), reason="no checkout")
def test_servers_of_the_makefile_listen_on_this_machine_alone() -> None:
    lines = (ROOT.parent / "Makefile").read_text().splitlines()
    starts = [line for line in lines if line.startswith("\t") and "mlflow ui" in line]
    assert starts
    assert all("--host 127.0.0.1" in line for line in starts)
