"""What is read from Keras' sources must be what Keras, imported, offers."""

import inspect

import keras

from sweeper import keras_api
from sweeper.config import Optimizer


def test_optimizers_are_those_that_keras_can_build() -> None:
    names = keras_api.optimizer_names()
    assert {"Adam", "AdamW", "SGD", "RMSprop", "Lion"} <= set(names)
    for name in names:
        optimizer = getattr(keras.optimizers, name)(learning_rate=0.1)
        assert isinstance(optimizer, keras.optimizers.Optimizer)


def test_keywords_are_those_of_the_constructors() -> None:
    for name in keras_api.optimizer_names():
        signature = inspect.signature(getattr(keras.optimizers, name).__init__)
        expected = {
            parameter.name
            for parameter in signature.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        } - {"self"}
        assert keras_api.optimizer_keywords(name) == expected


def test_all_optimizers_share_the_keywords_of_their_base_class() -> None:
    (base,) = [k for k in keras.optimizers.Optimizer.__mro__ if k.__name__ == "BaseOptimizer"]
    shared = set(inspect.signature(base).parameters) - {"kwargs"}
    for name in keras_api.optimizer_names():
        assert shared <= keras_api.optimizer_keywords(name), name
    checked = set(Optimizer.model_fields) - {"layer_decay"}
    assert checked == shared


def test_applications_are_the_networks_of_keras() -> None:
    expected = {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(keras_api.application_names()) == expected
