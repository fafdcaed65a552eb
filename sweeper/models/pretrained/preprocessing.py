"""What ImageNet images went through in training, as plain Keras layers in front of a network.

The modes are those of ``keras.applications.imagenet_utils.preprocess_input``, which works on
arrays; layers are saved with the model, so that it takes images in [0, 255] wherever it goes.
"""

from typing import Any, Literal

import keras

LAYER = "preprocessing"
"""Name of the one layer that :func:`preprocess` puts before a network."""

_MEAN = (0.485, 0.456, 0.406)
_STDDEV = (0.229, 0.224, 0.225)
_CAFFE_MEAN = (123.68, 116.779, 103.939)
"""Of ImageNet, red first, in [0, 1] and in [0, 255] (``keras.applications.imagenet_utils``)."""


def preprocess(images: Any, mode: Literal["none", "tf", "torch", "caffe"]) -> Any:
    """Bring ``images`` into the range that a network was trained with.

    Args:
        images: Keras tensor ``[batch, height, width, 3]`` in [0, 255], red first.
        mode: ``tf`` to [-1, 1]; ``torch`` to [0, 1], then ImageNet's mean off and by its
            deviation; ``caffe`` ImageNet's mean off, then blue first; ``none`` as they are.

    Returns:
        Keras tensor of the same shape, float32 under every precision.
    """
    scale, offset = {
        "none": (None, None),
        "tf": (1 / 127.5, -1.0),
        "torch": (
            [1 / (255 * stddev) for stddev in _STDDEV],
            [-mean / stddev for mean, stddev in zip(_MEAN, _STDDEV, strict=True)],
        ),
        "caffe": (1.0, [-mean for mean in _CAFFE_MEAN]),
    }[mode]
    if scale is None:
        return images
    # float32, since bfloat16 has 8 bits: a mean taken off in it leaves whole steps of grey only
    scaled = keras.layers.Rescaling(scale, offset=offset, dtype="float32", name=LAYER)(images)
    return keras.ops.flip(scaled, axis=-1) if mode == "caffe" else scaled
