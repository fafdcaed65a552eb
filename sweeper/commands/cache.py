"""``sweeper cache``: list, verify and clear what is kept for all sweeps."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pydantic import JsonValue

    from sweeper.cache.contents import Listed
    from sweeper.cache.shared_cache import Cache

_PARTS_SHOWN = 4
_LENGTH_SHOWN = 24


@click.group("cache", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List, verify and clear what is kept for all sweeps. Without a command it lists."""
    if context.invoked_subcommand is None:
        context.invoke(_list)


@command.command("list")
def _list() -> None:
    """Show what is kept, the entry used last first."""
    from rich.filesize import decimal
    from rich.table import Table

    from sweeper.display.console import open_console

    with _opened() as cache:
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
    console = open_console()
    console.print(table)
    console.print(_total(found))


@command.command("verify")
def _verify() -> int:
    """Read everything; exit code 1 where something is damaged."""
    with _opened() as cache:
        faults = cache.verify()
    for fault in faults:
        print(f"{fault.name}: {fault.what}; remove it with sweeper cache clear {fault.name}")
    if not faults:
        print("everything is as it was written")
    return 1 if faults else 0


def _days(_context: click.Context, _parameter: click.Parameter, text: str) -> timedelta:
    try:
        days = timedelta(days=float(text))
    except (ValueError, OverflowError):
        raise click.BadParameter(f"must be a number of days, got {text!r}") from None
    if days < timedelta(0):
        raise click.BadParameter(f"must not be negative, got {text!r}")
    return days


@command.command("clear")
@click.argument("entry", nargs=-1)
@click.option("--kind", help="Entries of this kind only, such as images.")
@click.option(
    "--older-than",
    callback=_days,
    metavar="DAYS",
    default="0",
    help="Entries that were not used for so many days.",
)
def _clear(entry: tuple[str, ...], kind: str | None, older_than: timedelta) -> None:
    """Remove entries by their names, or all of them, but none that is in use."""
    with _opened() as cache:
        cleared = cache.clear(kind, older_than, entry)
    for left in cleared.left:
        print(f"{left.name} is in use and stays")
    print(f"removed {_total(cleared.removed)}")


@contextlib.contextmanager
def _opened() -> "Iterator[Cache]":
    """The cache of this machine.

    Raises:
        SweeperError: its folder cannot be read or written.
    """
    from sweeper.cache.shared_cache import Cache
    from sweeper.errors import SweeperError
    from sweeper.paths import entries_dir

    cache = Cache(entries_dir(), budget_bytes=0)
    try:
        yield cache
    except OSError as error:
        raise SweeperError(f"{cache.folder} cannot be used: {error}") from error


def _total(listed: "Sequence[Listed]") -> str:
    from rich.filesize import decimal

    count = "1 entry" if len(listed) == 1 else f"{len(listed)} entries"
    return f"{count}, {decimal(sum(entry.size_bytes for entry in listed))}"


def _moment(time: datetime | None) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M}" if time else ""


def _summary(parts: "Mapping[str, JsonValue]") -> str:
    """The first few parts, as whoever made the key ordered them."""
    plain = [
        f"{name}={value}" for name, value in parts.items() if not isinstance(value, dict | list)
    ]
    return " ".join(part[:_LENGTH_SHOWN] for part in plain[:_PARTS_SHOWN])
