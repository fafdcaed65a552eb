"""Processes that want the same features at the same time, some of them killed."""

import multiprocessing
import signal
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from recipes import recipe
from sharers import compute
from test_features import HALF, by_hand, images, prefixes

from sweeper.train.runtime import numerics

Context = multiprocessing.context.ForkServerContext


@pytest.fixture(scope="module")
def server() -> Context:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tensorflow", "keras", "sharers"])
    return context


def result(file: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(file) as found:
        return dict(found)


def check(found: dict[str, NDArray[np.float32]]) -> None:
    numerics.set_up(recipe())
    for place, model in enumerate(prefixes([1, 0])):
        for view in range(2):
            expected, _ = by_hand(model, images("augment=digits", view=view))
            np.testing.assert_allclose(found[f"{place} {view}"], expected, rtol=2 * HALF, atol=1e-4)


@pytest.mark.slow
@pytest.mark.more
def test_processes_that_race_compute_each_view_once(server: Context, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.npz" for number in range(2)]
    racing = [
        server.Process(target=compute, args=(tmp_path / "entries", file, -1)) for file in files
    ]
    for process in racing:
        process.start()
    for process in racing:
        process.join()
        assert process.exitcode == 0
    found = [result(file) for file in files]
    assert sum(int(one.pop("passes")) for one in found) == 2
    for one in found:
        check(one)


@pytest.mark.more
def test_what_a_killed_process_had_begun_is_computed_by_the_next(
    server: Context, tmp_path: Path
) -> None:
    root, file = tmp_path / "entries", tmp_path / "found.npz"
    dying = server.Process(target=compute, args=(root, tmp_path / "none.npz", 1))
    dying.start()
    dying.join()
    assert dying.exitcode == -signal.SIGKILL
    begun = list(root.glob(".features-*/files/values.float16"))
    assert len(begun) == 2
    next_one = server.Process(target=compute, args=(root, file, -1))
    next_one.start()
    next_one.join()
    found = result(file)
    assert int(found.pop("passes")) == 2
    check(found)
    assert not list(root.glob(".features-*"))
