"""Files as tensors: what was written, without a copy, for as long as somebody uses it."""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sweeper.data.batches import plain_options
from sweeper.data.memory_map import mapped

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="files with holes, /proc")

DTYPES = st.sampled_from([np.uint8, np.float16, np.float32])


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(DTYPES, arrays.array_shapes(max_dims=4)))
def test_a_mapped_file_is_what_was_written(tmp_path_factory, written):
    file = tmp_path_factory.mktemp("files") / "numbers"
    written.tofile(file)
    read = mapped(file, written.dtype, written.shape)
    assert (read.dtype, tuple(read.shape)) == (written.dtype, written.shape)
    np.testing.assert_array_equal(read.numpy(), written)


def maps_of(file: Path) -> int:
    return sum(str(file) in line for line in Path("/proc/self/maps").read_text().splitlines())


def gathered(tensor: tf.Tensor) -> tf.data.Dataset:
    dataset = tf.data.Dataset.range(len(tensor)).map(lambda place: tf.gather(tensor, place))
    return dataset.with_options(plain_options())


@on_linux
def test_a_map_outlives_its_file_and_ends_with_what_uses_it(tmp_path):
    file = tmp_path / "numbers"
    np.arange(8, dtype=np.float32).tofile(file)
    dataset = gathered(mapped(file, np.float32, (8,)))
    file.unlink()
    assert list(dataset.as_numpy_iterator()) == list(range(8))
    assert maps_of(file) == 1
    del dataset
    gc.collect()
    assert maps_of(file) == 0


@on_linux
def test_more_than_the_machine_has_memory_is_mapped(tmp_path):
    rows, row = 1 << 22, 1 << 16  # 256 GiB, all but the last bytes a hole
    file = tmp_path / "numbers"
    with file.open("wb") as output:
        output.truncate(rows * row)
        output.seek(-row, 2)
        output.write(b"\7" * row)
    found = tf.gather(mapped(file, np.uint8, (rows, row)), [0, rows - 1])
    np.testing.assert_array_equal(found[:, 0], [0, 7])


def test_a_file_that_is_not_there_or_too_short(tmp_path):
    with pytest.raises(FileNotFoundError):
        mapped(tmp_path / "none", np.uint8, (1,))
    (tmp_path / "short").write_bytes(b"1234567")
    with pytest.raises(ValueError, match=r"length|size"):
        mapped(tmp_path / "short", np.float32, (2,))
