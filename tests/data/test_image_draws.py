"""What is drawn for an image depends on its content, seed and view, and looks like chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from test_augment import built, photos

from sweeper.data.augment.image_draws import image_draws

HASHES = np.random.default_rng(0).bytes(16 * 2000)
MANY = np.frombuffer(HASHES, "S16")


@settings(max_examples=30, deadline=None)
@given(data=st.data(), count=st.integers(1, 40), view=st.integers(0, 100))
def test_what_stands_beside_an_image_changes_nothing(
    data: st.DataObject, count: int, view: int
) -> None:
    places = np.array(data.draw(st.lists(st.integers(0, 1999), min_size=1, max_size=9)))
    seed = data.draw(st.integers(0, 2**32 - 1))
    drawn = image_draws(MANY[places], seed, view, count)
    assert drawn.shape == (len(places), count)
    for place, row in zip(places, drawn, strict=True):
        np.testing.assert_array_equal(
            image_draws(MANY[[place]], seed, view, count + 1)[0, :-1], row
        )


def test_draws_are_even_and_independent() -> None:
    drawn = image_draws(MANY, 0, 0, 20)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert drawn.dtype == np.float32
    for column in drawn.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-4
    others = [image_draws(MANY, 1, 0, 20), image_draws(MANY, 0, 1, 20), drawn[::-1]]
    columns = np.concatenate([drawn, *others], axis=1)
    correlated = np.corrcoef(columns.T) - np.eye(80)
    assert np.abs(correlated).max() < 0.12  # 5 standard deviations of 2,000


def test_zeros_at_the_end_of_a_hash_count() -> None:
    hashes = np.array([b"\1" + bytes(15), b"\1"], "S16")
    np.testing.assert_array_equal(*image_draws(hashes, 0, 0, 3))


@pytest.mark.parametrize(
    "changes",
    [
        {"flip": "horizontal", "rotation": 0.1, "zoom": 0.2, "brightness": 0.3, "contrast": 0.3},
        {"rand_augment": 3},
    ],
)
def test_an_image_is_changed_alike_in_any_batch(changes: dict[str, object]) -> None:
    augment, images = built(**changes), photos(10, 12, 12)
    drawn = image_draws(MANY[:10], 0, 0, augment.draws)
    whole = augment.by_image(images, drawn).numpy()
    assert whole.min() >= 0
    assert whole.max() <= 255
    assert np.abs(whole - images).mean() > 1
    order = np.array([7, 3, 8])
    some = augment.by_image(images[order], drawn[order]).numpy()
    np.testing.assert_allclose(some, whole[order], atol=1e-3)


def test_the_highest_draw_is_still_an_operation() -> None:
    augment, images = built(rand_augment=2), photos(4, 12, 12)
    highest = np.nextafter(np.ones((4, augment.draws), np.float32), np.float32(0))
    assert np.isfinite(augment.by_image(images, highest).numpy()).all()


def test_operations_and_ways_are_drawn_evenly() -> None:
    augment, image = built(rand_augment=1, rand_augment_magnitude=1.0), photos(1, 12, 12)
    drawn = image_draws(MANY, 0, 0, augment.draws)
    after = augment.by_image(np.repeat(image, 2000, axis=0), drawn).numpy()
    kinds = len(np.unique(after.reshape(2000, -1).round(2), axis=0))
    assert kinds >= 14  # each operation, some of them in two ways
