import keras
import pytest
import tensorflow as tf
from keras import layers

from sweeper.models.size import Size, count_parameters, count_trainable, flops, size_of


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("MobileNetV2", 300),  # Sandler et al. 2018, table 4
        ("EfficientNetB0", 390),  # Tan & Le 2019, table 2
        ("MobileNet", 569),  # Howard et al. 2017, table 4
    ],
)
def test_multiply_adds_are_those_of_the_papers(name: str, millions: int) -> None:
    network = getattr(keras.applications, name)(weights=None)
    assert flops(network) / 2e6 == pytest.approx(millions, rel=0.015)


@pytest.mark.more
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("NASNetMobile", 0.564),
        ("VGG16", 15.5),
        ("ResNet50", 3.86),
        ("Xception", 8.4),
        ("ConvNeXtTiny", 4.5),
    ],
)
def test_multiply_adds_of_larger_networks(name: str, billions: float) -> None:
    network = getattr(keras.applications, name)(weights=None)
    assert flops(network) / 2e9 == pytest.approx(billions, rel=0.015)


def test_multiply_adds_by_hand() -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 6, 4)),
            layers.Conv2D(5, 3, strides=2, padding="same"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
            layers.Conv2D(10, 1, groups=5),
            layers.SeparableConv2D(3, (1, 2), padding="valid"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(7),
        ]
    )
    multiply_adds = (
        4 * 3 * (3 * 3 * 4 * 5)
        + 4 * 3 * (3 * 3 * 5 * 2)
        + 4 * 3 * (2 * 10)
        + 4 * 2 * (1 * 2 * 10 + 10 * 3)
        + 3 * 7
    )
    assert flops(model) == 2 * multiply_adds
    around = keras.Input((8, 6, 4))
    assert flops(keras.Model(around, model(around))) == 2 * multiply_adds


def test_flops_are_near_those_of_tensorflows_profiler() -> None:
    # which counts what works on each number by itself too, for some operations
    model = keras.applications.MobileNetV2((96, 96, 3), weights=None)
    spec = tf.TensorSpec([1, 96, 96, 3], tf.float32)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    counted = tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
    assert flops(model) < counted < 1.05 * flops(model)


def test_a_layer_that_cannot_be_counted_is_named() -> None:
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2DTranspose(1, 2, name="up")])
    with pytest.raises(TypeError, match="up, a Conv2DTranspose"):
        flops(model)


def test_parameters_and_those_that_train() -> None:
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, name="frozen"), layers.BatchNormalization()]
    )
    model.get_layer("frozen").trainable = False
    assert (count_parameters(model), count_trainable(model)) == (3 * 4 + 4 + 4 * 4, 2 * 4)
    assert size_of(model) == Size(3 * 4 + 4 + 4 * 4, 2 * 4, 2 * 3 * 4)
    assert size_of(model) + Size(1, 2, 3) == Size(33, 10, 27)
