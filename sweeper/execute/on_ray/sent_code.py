"""Modules that nodes of a cluster need, and how they get those that they lack.

sweeper itself and the modules beside the application's script travel by Ray's runtime environment
where a node has others. Packages do not: see :mod:`sweeper.execute.on_ray.versions`.
"""

import hashlib
import importlib.util
import shutil
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sweeper
from sweeper.errors import ConfigError

_LARGEST = 20 << 20
"""Bytes of modules beside a script. Ray takes 500 MB; so many would be data by mistake."""


@dataclass(frozen=True)
class Code:
    """Folders of modules.

    Attributes:
        packages: of sweeper, and of its plugins for Hydra.
        beside: where the application's script lies, None where that is sweeper itself.
    """

    packages: tuple[Path, ...]
    beside: Path | None

    @classmethod
    def of_this_process(cls) -> "Code":
        """What this process runs."""
        package = Path(sweeper.__file__).parent
        plugins = package.parent / "hydra_plugins"
        script = getattr(sys.modules["__main__"], "__file__", None)
        folder = Path(script).absolute().parent if script else None
        own = folder is not None and not folder.is_relative_to(package)
        in_prefix = folder is not None and folder.is_relative_to(sys.prefix)
        beside = folder if own and not in_prefix else None
        return cls((package, *([plugins] if plugins.is_dir() else [])), beside)

    def hashes(self) -> dict[tuple[str, str], str]:
        """The hash of each module, by its package and its path in that.

        For modules beside the script the package is empty, and the path absolute.
        """
        found = {
            (folder.name, str(file.relative_to(folder))): _hash(file)
            for folder in self.packages
            for file in folder.rglob("*.py")
        }
        return found | {("", str(file)): _hash(file) for file in self.beside_script()}

    def beside_script(self) -> Iterator[Path]:
        """Modules that the script finds beside it."""
        if self.beside is not None:
            yield from self.beside.glob("*.py")
            for package in self.beside.glob("*/__init__.py"):
                yield from package.parent.rglob("*.py")

    def runtime_env(self) -> dict[str, Any]:
        """What Ray shall bring to each node.

        Raises:
            ConfigError: beside the script lies too much.
        """
        env: dict[str, Any] = {"py_modules": [str(folder) for folder in self.packages]}
        if self.beside is not None:
            env["working_dir"] = str(_copied(self, self.beside))
        return env


def _copied(code: Code, beside: Path) -> Path:
    """A folder with the modules beside the script, and with nothing else that lies there."""
    files = list(code.beside_script())
    size = sum(file.stat().st_size for file in files)
    if size > _LARGEST:
        raise ConfigError(
            [
                f"the modules in {beside} are {size >> 20} MB, too much to send to each node of "
                "the cluster; put the script into a folder with its own modules only"
            ]
        )
    copy = Path(tempfile.mkdtemp(prefix="sweeper-code-"))
    for file in files:
        target = copy / file.relative_to(beside)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return copy


def by_value(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` for a node that may not have its module: it is sent as a whole."""
    assert isinstance(function, types.FunctionType)
    copy = types.FunctionType(function.__code__, function.__globals__, function.__name__)
    copy.__module__ = "__main__"  # what lies there is no module that a node could import
    return copy


def lacks(hashes: Mapping[tuple[str, str], str]) -> bool:
    """Whether this machine would import other files than these hashes are of."""
    folders: dict[str, Path | None] = {"": Path()}
    for (package, name), known in hashes.items():
        if package not in folders:
            found = importlib.util.find_spec(package)
            places = list(found.submodule_search_locations or ()) if found else []
            folders[package] = Path(places[0]) if places else None
        folder = folders[package]
        if folder is None or not (folder / name).is_file():
            return True
        if hashlib.blake2b((folder / name).read_bytes()).hexdigest() != known:
            return True
    return False


def _hash(file: Path) -> str:
    return hashlib.blake2b(file.read_bytes()).hexdigest()
