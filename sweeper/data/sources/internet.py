"""Whether there is any internet, answered within seconds."""

import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus
from http.client import HTTPException

_REFUSED = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED})
"""What a proxy answers in place of a host that it does not let through."""


def any_answers(urls: Sequence[str], seconds: float = 5.0) -> bool:
    """Whether a server behind one of ``urls`` answers within ``seconds``, with whatever page.

    The requests run in daemon threads, because a name look-up cannot be given a time limit.
    """
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    for url in urls:
        ask = threading.Thread(
            target=lambda url=url: answers.put(_answers(url, seconds)), daemon=True
        )
        ask.start()
    end = time.monotonic() + seconds
    try:
        return any(answers.get(timeout=max(0.0, end - time.monotonic())) for _ in urls)
    except queue.Empty:
        return False


def _answers(url: str, seconds: float) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in _REFUSED
    except (OSError, HTTPException, ValueError):
        return False
