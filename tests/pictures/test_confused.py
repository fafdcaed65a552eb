import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sweeper.pictures.confused_pairs import Pair, most_confused


def test_most_mistakes_come_first() -> None:
    counts = np.array([[5, 2, 0], [3, 0, 2], [0, 1, 9]])
    assert most_confused(counts) == [
        Pair(true=1, predicted=0, count=3, of=5),
        Pair(true=1, predicted=2, count=2, of=5),
        Pair(true=0, predicted=1, count=2, of=7),
        Pair(true=2, predicted=1, count=1, of=10),
    ]


@given(
    counts=st.integers(1, 8).flatmap(lambda n: arrays(np.int64, (n, n), elements=st.integers(0, 9)))
)
def test_every_mistake_is_in_one_pair(counts: np.ndarray) -> None:
    pairs = most_confused(counts)
    assert sum(pair.count for pair in pairs) == counts.sum() - np.trace(counts)
    assert all(pair.true != pair.predicted and 0 < pair.count <= pair.of for pair in pairs)
    found = [pair.count for pair in pairs]
    assert found == sorted(found, reverse=True)
