"""Seeds, number formats and compilation: what decides the last bits of a trial, and its speed."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from sweeper.config import Recipe
from sweeper.errors import ConfigError
from sweeper.train.runtime.xla_cache import keep_compiled, sees_gpu


def set_up(recipe: Recipe) -> None:
    """Seed Python, NumPy, TensorFlow and Keras, set the number format, and op determinism.

    Where XLA will compile, what it compiles is kept, if TensorFlow has computed nothing yet.
    All of it belongs to the process and stays until the next call, so a trial that shares its
    process with an earlier one begins as if it were alone. Data sets have seeds of their own.
    """
    use_plain_keras()
    if recipe.jit_compile is True or (recipe.jit_compile == "auto" and sees_gpu()):
        keep_compiled()
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    if recipe.deterministic:
        tf.config.experimental.enable_op_determinism()
    else:
        # no public way back (TensorFlow 2.21)
        from tensorflow.python.framework.config import disable_op_determinism

        disable_op_determinism()


def use_plain_keras() -> None:
    """Undo what ``keras.json``, which other programs of this person may need, says of numbers.

    Networks here have their channels last, and weights in float32.
    """
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


@contextlib.contextmanager
def seeded(recipe: Recipe) -> Iterator[None]:
    """Build a part of a network within: with the seed's first random numbers, and as if none went.

    Every layer draws some, even where weights are loaded. So no part's numbers, nor those of the
    training, depend on which parts are built, and when.
    """
    keras.utils.set_random_seed(recipe.seed)
    yield
    keras.utils.set_random_seed(recipe.seed)


def compile_options(recipe: Recipe, model: keras.Model) -> bool:
    """Whether XLA compiles the training step of ``model``: the ``jit_compile`` of ``tf.function``.

    ``auto`` compiles on a GPU what XLA can compile. On a CPU a step of a convolutional network
    takes ten times as long compiled (measured), and with ``deterministic`` not every operation that
    XLA makes would be so.

    Raises:
        ConfigError: it is asked for, and a layer cannot be compiled.
    """
    refusing = [layer.name for layer in _layers(model) if not layer.supports_jit]
    if recipe.jit_compile == "auto":
        on_gpu = bool(tf.config.list_physical_devices("GPU"))
        return on_gpu and not refusing and not recipe.deterministic
    if recipe.jit_compile and refusing:
        names = ", ".join(refusing)
        raise ConfigError([f"jit_compile=true, but XLA cannot compile {names}; set it to auto"])
    return recipe.jit_compile


def prefetched(dataset: tf.data.Dataset, batches: int = 2) -> tf.data.Dataset:
    """``dataset`` with its next ``batches`` already in the memory of the GPU; as it is on a CPU.

    It must be the last step: a later one would bring the batches back to the processor
    (``tf.data.experimental.prefetch_to_device``). Their number is not known beforehand any more, so
    ``fit`` needs ``steps_per_epoch``.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus:
        return dataset
    return dataset.apply(tf.data.experimental.prefetch_to_device(gpus[0].name, batches))


def _layers(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
