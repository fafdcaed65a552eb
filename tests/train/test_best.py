import keras
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sweeper.config import EarlyStopping
from sweeper.train.optimizers.early_stopping import Best


def best(monitor: str = "val_loss", patience: int | None = None, min_delta: float = 0.0) -> Best:
    return Best(
        EarlyStopping(monitor=monitor, patience=patience, min_delta=min_delta, restore_best=True)
    )


def after(watch: Best, *values: float) -> list[bool]:
    return [watch.after_epoch({"val_loss": value, "val_accuracy": value}) for value in values]


def test_the_best_epoch_has_the_lowest_loss_or_the_highest_accuracy() -> None:
    assert after(best("val_loss"), 3, 2, 2.5, 1) == [True, True, False, True]
    assert after(best("val_accuracy"), 0.3, 0.2, 0.4) == [True, False, True]


def test_of_equals_the_later_one_is_kept() -> None:
    assert after(best("val_accuracy"), 0.5, 0.5) == [True, True]


def test_nan_is_never_better_than_a_number() -> None:
    assert after(best(), float("nan"), 2, float("nan"), 3) == [True, True, False, False]


@given(
    st.lists(st.floats(-5, 5).map(lambda value: round(value, 1)), min_size=1, max_size=12),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.5]),
)
def test_it_stops_when_keras_early_stopping_does(
    values: list[float], patience: int, min_delta: float
) -> None:
    theirs = keras.callbacks.EarlyStopping(
        "val_loss", min_delta=min_delta, patience=patience, mode="min"
    )
    theirs.set_model(keras.Sequential())
    theirs.model.stop_training = False
    theirs.on_train_begin()
    ours = best("val_loss", patience, min_delta)
    for epoch, value in enumerate(values):
        theirs.on_epoch_end(epoch, {"val_loss": np.float64(value)})
        after(ours, value)
        assert ours.done == bool(theirs.model.stop_training)
        if ours.done:
            break


def test_without_patience_it_never_stops() -> None:
    watch = best()
    after(watch, *range(50))
    assert not watch.done


def test_it_continues_from_its_state() -> None:
    first, second = best(patience=3), best(patience=3)
    after(first, 3, 4, 5)
    second.restore(first.state())
    assert after(first, 3.5) == after(second, 3.5) == [False]
    assert first.done
    assert second.done
