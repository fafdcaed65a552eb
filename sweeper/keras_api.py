"""What the installed Keras offers, read from its source files without importing it.

Importing Keras starts TensorFlow (seconds); a recipe must be checked before that. The public
modules of Keras are generated lists of ``from keras.src... import Name as Name``; reading them,
and the signature of the one class that is named, takes milliseconds.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path

_NOT_FOR_RECIPES = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}
"""Public names of ``keras.optimizers`` that wrap optimizers or serve as their base."""


def _source(module: str) -> ast.Module:
    # find_spec of the top package alone: that of a submodule would import its parents
    spec = importlib.util.find_spec("keras")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "keras is not installed; pip install -e . in the checkout brings it"
        )
    base = Path(spec.origin).parent.joinpath(*module.split(".")[1:])
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def public_classes(module: str) -> dict[str, str]:
    """Capitalised public names of e.g. ``keras.optimizers``, with the module that defines each."""
    return {
        alias.asname or alias.name: node.module
        for node in _source(module).body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if alias.name[0].isupper()
    }


def optimizer_names() -> list[str]:
    """Optimizers that a recipe may name: every concrete class of ``keras.optimizers``."""
    return sorted(set(public_classes("keras.optimizers")) - _NOT_FOR_RECIPES)


def application_names() -> list[str]:
    """Networks of ``keras.applications``."""
    return sorted(public_classes("keras.applications"))


@cache
def optimizer_keywords(name: str) -> frozenset[str]:
    """Keyword arguments of the constructor of ``keras.optimizers.<name>``."""
    module = public_classes("keras.optimizers")[name]
    for node in _source(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and member.name == "__init__":
                    arguments = [*member.args.args, *member.args.kwonlyargs]
                    return frozenset(argument.arg for argument in arguments) - {"self"}
    raise LookupError(f"{module} defines no constructor for {name}")
