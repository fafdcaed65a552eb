"""``python -m sweeper.commands.cache``: list, verify and clear what is kept for all sweeps."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from sweeper.cache.cache import Cache
from sweeper.cache.contents import Listed
from sweeper.paths import entries_dir

_PARTS_SHOWN = 4
_LENGTH_SHOWN = 24


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 1 where something is damaged or the folder is unusable."""
    asked = _parser().parse_args(arguments)
    cache = Cache(entries_dir(), budget_bytes=0)
    console = Console(markup=False, emoji=False)
    try:
        if asked.command == "list":
            return _list(cache, console)
        if asked.command == "verify":
            return _verify(cache, console)
        return _clear(cache, console, asked)
    except OSError as error:
        print(f"{cache.folder} cannot be used: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sweeper.commands.cache", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what is kept, the entry used last first")
    commands.add_parser("verify", help="read everything; exit code 1 where something is damaged")
    clear = commands.add_parser("clear", help="remove entries, but none that is in use")
    clear.add_argument("entry", nargs="*", help="names of entries (default: all)")
    clear.add_argument("--kind", help="entries of this kind only, such as images")
    clear.add_argument(
        "--older-than",
        type=_days,
        metavar="DAYS",
        default=timedelta(0),
        help="entries that were not used for so many days",
    )
    return parser


def _days(text: str) -> timedelta:
    try:
        days = timedelta(days=float(text))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"must be a number of days, got {text!r}") from None
    if days < timedelta(0):
        raise argparse.ArgumentTypeError(f"must not be negative, got {text!r}")
    return days


def _list(cache: Cache, console: Console) -> int:
    found = cache.entries()
    table = Table(
        "entry", "kind", "size", "built", "last used", "in use", "of", title=str(cache.folder)
    )
    for entry in found:
        table.add_row(
            entry.name,
            entry.kind,
            decimal(entry.size_bytes),
            _moment(entry.built) or entry.state,
            _moment(entry.last_used),
            "yes" if entry.in_use else "",
            _summary(entry.parts),
        )
    console.print(table)
    console.print(_total(found))
    return 0


def _verify(cache: Cache, console: Console) -> int:
    faults = cache.verify()
    for fault in faults:
        console.print(
            f"{fault.name}: {fault.what}; "
            f"remove it with python -m sweeper.commands.cache clear {fault.name}",
            soft_wrap=True,
        )
    if not faults:
        console.print("everything is as it was written")
    return 1 if faults else 0


def _clear(cache: Cache, console: Console, asked: argparse.Namespace) -> int:
    cleared = cache.clear(asked.kind, asked.older_than, tuple(asked.entry))
    for entry in cleared.left:
        console.print(f"{entry.name} is in use and stays", soft_wrap=True)
    console.print(f"removed {_total(cleared.removed)}")
    return 0


def _total(listed: Sequence[Listed]) -> str:
    count = "1 entry" if len(listed) == 1 else f"{len(listed)} entries"
    return f"{count}, {decimal(sum(entry.size_bytes for entry in listed))}"


def _moment(time: datetime | None) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M}" if time else ""


def _summary(parts: Mapping[str, JsonValue]) -> str:
    """The first few parts, as whoever made the key ordered them."""
    plain = [
        f"{name}={value}" for name, value in parts.items() if not isinstance(value, dict | list)
    ]
    return " ".join(part[:_LENGTH_SHOWN] for part in plain[:_PARTS_SHOWN])


if __name__ == "__main__":
    sys.exit(main())
