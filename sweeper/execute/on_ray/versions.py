"""What must be the same on all machines of a sweep."""

import platform
from collections.abc import Mapping
from importlib import metadata

_PACKAGES = ("ray", "cloudpickle", "hydra-core", "omegaconf", "numpy", "keras", "tensorflow")
"""What travels between machines is pickled by these, and numbers depend on them."""


def versions() -> dict[str, str]:
    """Of Python and of each package that is installed here."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def differing(node: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> str | None:
    """A sentence on what ``node`` has in other versions, None where it has the same."""
    names = [name for name in ours if theirs.get(name) != ours[name]]
    if not names:
        return None
    pairs = ", ".join(f"{name} {theirs.get(name, 'absent')} ({ours[name]} here)" for name in names)
    return f"node {node} has {pairs}; install the same versions on all nodes"
