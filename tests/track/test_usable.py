"""What a store raises becomes one sentence that names the cause."""

import pytest
from mlflow.exceptions import MlflowException

from sweeper.errors import TrackerError
from sweeper.track.backend.mlflow_store import usable


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
        (
            "API request to http://h/api failed with exception HTTPConnectionPool(host='h', port=1)"
            ': Max retries exceeded with url: /api (Caused by NewConnectionError("HTTPConnection('
            "host='h', port=1): Failed to establish a new connection: [Errno 111] Connection "
            'refused"))',
            "[Errno 111] Connection refused",
        ),
        (
            "API request to http://h/api failed with exception HTTPConnectionPool(host='h', port=1)"
            ": Read timed out. (read timeout=20)",
            "it does not answer",
        ),
        (
            "API request to http://h/api failed with exception HTTPConnectionPool(host='h', port=1)"
            ": Max retries exceeded with url: /api (Caused by ResponseError('too many 503 error "
            "responses'))",
            "it answers 503",
        ),
        (
            "API request to endpoint /api/2.0/mlflow/runs failed with error code 500 != 200. "
            "Response body: '<html>'",
            "it answers 500",
        ),
        ("", "MlflowException"),
    ],
)
def test_the_cause_is_named_without_remarks_around_it(text: str, cause: str) -> None:
    with pytest.raises(TrackerError) as caught, usable("http://me:secret@127.0.0.1:1"):
        raise MlflowException(text)
    assert str(caught.value).startswith(
        f"MLflow at http://***@127.0.0.1:1 cannot be used: {cause}; see that it works"
    )
