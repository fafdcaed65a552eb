"""Write ``docs/reference.md``: every key of a recipe and of ``hydra.sweeper``.

Types, bounds, meanings and effects come from the schema, defaults from the files of ``conf/`` and
from ``sweeper/search/settings/defaults.py``, with the meanings of keys that stand in no group. A
test compares the page with what this makes.
"""

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from sweeper.config import Recipe
from sweeper.config.affects import Affects, declared, schemas_of
from sweeper.paths import conf_dir
from sweeper.search.settings import defaults
from sweeper.search.settings.sweep_settings import SweepSettings

PAGE = Path(__file__).with_name("reference.md")
GROUPS = ("backbone", "dataset", "validation", "augment", "head", "freeze", "optimizer", "schedule")
KINDS = {int: "whole number", float: "number", str: "text", bool: "true, false", Path: "path"}
_KEY = re.compile(r"(?P<indent> *)(?P<key>[\w.]+):(?: (?P<value>.*?))?(?:\s+# (?P<comment>.*))?$")
_ENTRY = re.compile(r'(?P<indent> *)"(?P<key>\w+)": (?P<value>.*?),?$')

TOP = """# Reference
Every key of a recipe and of `hydra.sweeper`, written by `make reference` from the schema
(`sweeper/config/`), `conf/` and `sweeper/search/settings/defaults.py`.

A key affects:

| effect | what may change with the key |
|---|---|
"""


@dataclass
class Explained:
    """What a file says of a key."""

    default: str
    meaning: str


@dataclass
class Leaf:
    """What the schema says of a key."""

    key: str
    kind: str
    meaning: str


def explained(lines: list[str], pattern: re.Pattern[str], mark: str) -> dict[str, Explained]:
    """Keys by dotted name, with their values and the comments above or beside them."""
    found: dict[str, Explained] = {}
    above: list[str] = []
    path: list[tuple[int, str]] = []
    for line in lines:
        if line.strip().startswith(mark):
            above.append(line.strip().removeprefix(mark).strip())
            continue
        match = pattern.fullmatch(line)
        if match is None:
            above = []
            continue
        indent = len(match["indent"])
        path = [(depth, key) for depth, key in path if depth < indent] + [(indent, match["key"])]
        beside = match.groupdict().get("comment") or ""
        meaning = " ".join([*above, beside]).strip()
        found[".".join(key for _, key in path)] = Explained(match["value"] or "", meaning)
        above = []
    return found


def of_recipe() -> dict[str, Explained]:
    """What ``conf/`` says: the frame, and of each group all options, the default one first."""
    frame = (conf_dir() / "config.yaml").read_text().splitlines()
    found = explained(frame, _KEY, "#")
    for group in GROUPS:
        chosen = next(line for line in frame if line.startswith(f"  - {group}: ")).split(": ")[1]
        files = sorted(
            (conf_dir() / group).glob("*.yaml"), key=lambda file: (file.stem != chosen, file.stem)
        )
        for file in files:
            for key, one in explained(file.read_text().splitlines(), _KEY, "#").items():
                known = found.setdefault(f"{group}.{key}", one)
                known.meaning = known.meaning or one.meaning
    return found


def of_sweeper() -> dict[str, Explained]:
    """What ``defaults.py`` says of the keys of ``hydra.sweeper``."""
    text = Path(defaults.__file__).read_text()
    inside = text[text.index("SWEEPER:") : text.index("\n}\n")].splitlines()[1:]
    return explained(inside, _ENTRY, "#")


def kind(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    """A type in words, with its bounds."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(arguments[0], (*arguments[1:], *metadata))
    if origin is Literal:
        return ", ".join(str(one) for one in arguments)
    if origin in {Union, types.UnionType}:
        parts = [kind(one) for one in arguments if one is not type(None)]
        return " or ".join([*dict.fromkeys(parts), *["null"] * (type(None) in arguments)])
    if origin in {list, tuple}:
        return f"list of {kind(arguments[0])}"
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "group of keys"
    bounds = [one for field in metadata for one in getattr(field, "metadata", [field])]
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    limits = [
        f"{sign} {getattr(b, s)}" for b in bounds for s, sign in signs.items() if hasattr(b, s)
    ]
    return " ".join([KINDS.get(annotation, "any value"), *limits])


def attributes(schema: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of ``schema``, and of what it extends, say of each key."""
    found: dict[str, str] = {}
    for one in reversed(schema.__mro__):
        _, _, section = (one.__doc__ or "").partition("Attributes:\n")
        for name, text in re.findall(r"^ {8}(\w+): (.*(?:\n {9,}.*)*)", section, re.MULTILINE):
            plain = re.sub(r":\w+:`(?:[\w.]+\.)?(\w+)`", r"`\1`", " ".join(text.split()))
            found[name] = plain.replace("``", "`")
    return found


def leaves(schema: type[BaseModel], prefix: str = "") -> Iterator[Leaf]:
    """Keys below ``schema``, of unions those of each member."""
    docs = attributes(schema)
    for name, field in schema.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        below = schemas_of(field)
        for one in below:
            yield from leaves(one, f"{key}.")
        if not below:
            shown = kind(field.annotation, tuple(field.metadata))
            yield Leaf(key, shown, docs.get(name, ""))


def merged(found: Iterator[Leaf]) -> dict[str, Leaf]:
    """One leaf for each key: members of a union differ in the name of their kind."""
    keys: dict[str, Leaf] = {}
    for leaf in found:
        known = keys.setdefault(leaf.key, leaf)
        if leaf.kind not in known.kind:
            known.kind = f"{known.kind}, {leaf.kind}"
        known.meaning = known.meaning or leaf.meaning
    return keys


def row(*cells: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") or " " for cell in cells) + " |"


def _table(*titles: str) -> list[str]:
    return [row(*titles), "|---" * len(titles) + "|"]


def spelled(effects: Affects) -> str:
    """The names of effects, in their order."""
    return ", ".join(str(one.name).lower() for one in Affects if one in effects) or "nothing"


def page() -> str:
    """The whole page."""
    docs = effect_docs()
    lines = [TOP + "\n".join(row(name.lower(), text) for name, text in docs.items()), ""]
    effects, known = declared(Recipe), of_recipe()
    tables: dict[str, list[Leaf]] = {}
    for key, leaf in merged(leaves(Recipe)).items():
        if not re.match(r"phases\.\w+\.(optimizer|schedule)\.", key):  # as those of the group
            tables.setdefault(key.rpartition(".")[0] and key.partition(".")[0], []).append(leaf)
    for title, keys in sorted(tables.items(), key=lambda one: one[0] != ""):
        lines += [
            f"## {title or 'recipe'}",
            *_table("key", "type", "default", "affects", "meaning"),
        ]
        for leaf in keys:
            one = known.get(leaf.key, Explained("", ""))
            default = f"`{one.default}`" if one.default else ""
            of_key = spelled(effects[leaf.key])
            lines.append(
                row(f"`{leaf.key}`", leaf.kind, default, of_key, leaf.meaning or one.meaning)
            )
        lines.append("")
    settings = of_sweeper()
    lines += ["## hydra.sweeper", *_table("key", "type", "default", "meaning")]
    for key, leaf in merged(leaves(SweepSettings)).items():
        one = settings.get(key, Explained("", ""))
        default = one.default.replace("None", "null").replace("True", "true").strip('"')
        shown = f"`{default}`" if default not in ("", "{", "???") else ""
        lines.append(row(f"`hydra.sweeper.{key}`", leaf.kind, shown, leaf.meaning or one.meaning))
    return "\n".join([*lines, ""])


def effect_docs() -> Mapping[str, str]:
    """Each effect with the text that stands below it in the source."""
    source = (Path(__file__).parents[1] / "sweeper/config/affects.py").read_text()
    found = re.findall(r'^    ([A-Z]+) = auto\(\)\n    """(.*?)"""', source, re.MULTILINE)
    return dict(found)


if __name__ == "__main__":
    PAGE.write_text(page())
