"""What a store raises becomes one sentence that names the cause."""

import pytest
from mlflow.exceptions import MlflowException

from sweeper.errors import TrackerError
from sweeper.track.mlflow_store import usable


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("plain", "plain"),
        ("first\nsecond", "first"),
        (
            "(raised as a result of Query-invoked autoflush)\n"
            "(sqlite3.OperationalError) attempt to write a readonly database\n"
            "[SQL: UPDATE runs SET status=? WHERE runs.run_uuid = ?]\n"
            "(Background on this error at: somewhere)",
            "(sqlite3.OperationalError) attempt to write a readonly database",
        ),
        ("(all of it)", "(all of it)"),
        ("", "MlflowException"),
    ],
)
def test_the_cause_is_named_without_remarks_around_it(text: str, cause: str) -> None:
    with pytest.raises(TrackerError) as caught, usable("http://me:secret@127.0.0.1:1"):
        raise MlflowException(text)
    assert str(caught.value).startswith(
        f"MLflow at http://***@127.0.0.1:1 cannot be used: {cause}; see that it works"
    )
