"""What each step of a fine-tune takes for an image, and its memory, with ever more images.

    pip install scikit-image  # its package has photographs
    python experiments/scale/images.py [--images 1000 10000 100000] [--steps scan ...]
    python experiments/scale/images.py --images 100000 --steps all --limit 1000  # as root

Each step runs in a process of its own, first with few images. What a step takes before its first
image is not counted: of an epoch since that is timed in the middle of a trial, of other steps since
the same with few images is subtracted. With --limit a control group of Linux (version 1) gives the
process so many megabytes, mapped files included. Prints the table of README.md.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from image_steps import EPOCHS, FROM_START, NAMES, Timed
from photographs import make

SMALL = 256


def run(step: str, small: Path, folder: Path) -> None:
    """In a process: the step with few images, then with all; prints milliseconds an image."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    taken = [fresh(step, images) for images in (small, small, folder)]
    many = taken[2].since(taken[1]) if step in FROM_START else taken[2]
    print(json.dumps([1000 * seconds / many.images for seconds in (many.wall, many.processors)]))


def fresh(step: str, folder: Path) -> Timed:
    """The step where nothing has been computed yet."""
    before = os.environ["XDG_CACHE_HOME"]
    with tempfile.TemporaryDirectory(dir=before) as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        taken = {**FROM_START, **EPOCHS}[step](folder)
        os.environ["XDG_CACHE_HOME"] = before
    return taken


def measured(step: str, folders: list[Path], limit: int | None) -> tuple[float, float, int, int]:
    """Milliseconds an image of the wall and of processors, and the most kilobytes of private memory
    and of mapped files.
    """
    command = [sys.executable, __file__, "--run", step, *map(str, folders)]
    with contextlib.ExitStack() as closing:
        group = closing.enter_context(limited(limit)) if limit else None
        process = closing.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        )
        if group is not None:  # it has only begun to import
            (group / "cgroup.procs").write_text(str(process.pid))
        most = {"RssAnon": 0, "RssFile": 0}
        while process.poll() is None:
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in most:
                    most[name] = max(most[name], int(value.split()[0]))
            time.sleep(0.2)
        assert process.stdout is not None
        if process.returncode:
            sys.exit(f"{step} ended with {process.returncode}")
        wall, processors = json.loads(process.stdout.read().splitlines()[-1])
    return wall, processors, most["RssAnon"], most["RssFile"]


@contextlib.contextmanager
def limited(megabytes: int) -> Iterator[Path]:
    """A control group of so much memory, files included."""
    group = Path("/sys/fs/cgroup/memory") / f"sweeper-scale-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(megabytes * 10**6))
        yield group
    finally:
        group.rmdir()


def table(counts: list[int], steps: list[str], limit: int | None) -> None:
    """Measure and print, one row for a step and a number of images."""
    print("| step | images | ms an image | ratio | processor ms | ratio | private MB | files MB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = place
        folders = {count: Path(place) / f"images_{count}" for count in {SMALL, *counts}}
        for count, folder in folders.items():
            make(folder, count)
        for step in steps:
            first: tuple[float, float] | None = None
            for count in counts:
                wall, processors, private, files = measured(
                    step, [folders[SMALL], folders[count]], limit
                )
                first = first or (wall, processors)
                print(
                    f"| {NAMES[step]} | {count:,} | {wall:.3f} | {wall / first[0]:.2f} | "
                    f"{processors:.3f} | {processors / first[1]:.2f} | {private / 1000:,.0f} | "
                    f"{files / 1000:,.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--steps", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--limit", type=int, help="megabytes of memory")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        step, small, folder = arguments.run
        run(step, Path(small), Path(folder))
    else:
        table(arguments.images, arguments.steps, arguments.limit)
