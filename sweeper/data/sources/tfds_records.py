"""Records of prepared data of tensorflow-datasets: their labels, their order, their files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sweeper.config import Tfds
from sweeper.data.batches import as_written
from sweeper.data.stratified import Indices
from sweeper.errors import ConfigError


def labels_of(dataset: Tfds, builder: Any, split: str, key: str) -> Indices:
    """``[n]`` labels of ``split``, which stands under ``dataset.<key>``, in the records' order.

    Raises:
        ConfigError: the split or its files cannot be read.
    """
    name = dataset.label_key
    try:
        records = records_of(builder, split, name).batch(1024)
    except ValueError as error:
        raise ConfigError([f"dataset.{key} '{split}' cannot be read: {error}"]) from None
    try:
        parts = [np.asarray(part[name], dtype=np.int64) for part in records.as_numpy_iterator()]
    except tf.errors.OpError as error:
        damaged = _damaged(builder.info.splits[split].file_instructions)
        raise ConfigError(
            [
                f"{' and '.join(damaged) or builder.data_path} cannot be read "
                f"({str(error.message).split(' [Op:')[0]}); remove {builder.data_path} and prepare "
                f"{dataset.name} again"
            ]
        ) from None
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _damaged(files: Sequence[Any]) -> list[str]:
    """Which files cannot be read to their end; TensorFlow's own message does not name them."""
    found = []
    for file in dict.fromkeys(one.filename for one in files):
        try:
            tf.data.TFRecordDataset(file).reduce(0, as_written(lambda count, _: count + 1))
        except tf.errors.OpError:
            found.append(str(file))
    return found


def record_at(files: Sequence[Any], position: int) -> tuple[int, Path]:
    """The record, from 0, and the file with it, that stands at ``position`` of a split."""
    for file in files:
        if position < file.take:
            return file.skip + position, Path(file.filename)
        position -= file.take
    raise IndexError(position)


def records_of(builder: Any, split: str, key: str) -> tf.data.Dataset:
    """One feature of each record, images undecoded, always in the same order."""
    import tensorflow_datasets as tfds

    options = tf.data.Options()
    options.autotune.enabled = False
    # ClassLabel needs no decoding; other features of the record are not even parsed
    skip = {key: tfds.decode.SkipDecoding()}
    return as_written(builder.as_dataset)(
        split=split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding({key: True}, decoders=skip),
        read_config=tfds.ReadConfig(
            options=options,
            try_autocache=False,
            skip_prefetch=True,
            interleave_cycle_length=1,  # file after file
            num_parallel_calls_for_decode=1,
            num_parallel_calls_for_interleave_files=1,
        ),
    )
