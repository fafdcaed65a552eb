"""A frozen network as one function."""

import keras
import numpy as np
from models.networks import random_images, tiny_backbone

from sweeper.models.inference import compiled


def test_it_gives_what_the_network_gives_for_any_number_of_images() -> None:
    network = tiny_backbone()
    inside = network.get_layer("block1b_add").output
    both = keras.Model(network.input, [inside, network.output])
    function = compiled(both)
    for count in (5, 1):
        images = random_images(8, count)
        for found, wanted in zip(function(images), both(images, training=False), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_it_keeps_the_weights_that_the_network_had() -> None:
    network = tiny_backbone()
    images = random_images(8)
    function = compiled(network)
    before = function(images)[0].numpy()
    network.set_weights([2 * weight for weight in network.get_weights()])
    np.testing.assert_array_equal(function(images)[0], before)
