"""A file of numbers as a tensor, mapped: no process has a copy of it."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import DTypeLike, NDArray


def mapped(file: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> tf.Tensor:
    """``shape`` of ``dtype``, row by row, whose memory is the file's; on the CPU.

    Nothing is read before it is used, and the system's own cache of the file serves all processes.
    Datasets that use it need :func:`~sweeper.data.batches.plain_options`, or they copy it.

    Raises:
        OSError: there is no such file, or its disk cannot be mapped.
        ValueError: the file is too short.
    """
    array = np.memmap(file, dtype, "r", shape=shape)
    # neither tf.constant nor ImmutableConst: each copies all of the file into memory
    with tf.device("CPU"):
        return tf.experimental.dlpack.from_dlpack(np.asarray(_Memory(array)).__dlpack__())


class _Memory:
    """The memory of an array that may not be written, as if it might be.

    DLPack has no other way to say it, and no operation of TensorFlow writes to a tensor. A map that
    may be written, of pages of its own, would do but for Linux, which refuses one larger than the
    machine's memory.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        address = (array.ctypes.data, False)
        self.__array_interface__ = {**array.__array_interface__, "data": address}
