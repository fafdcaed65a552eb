"""Whether there is any internet, answered within seconds."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from http import HTTPStatus

from sweeper.http_probe import probe

_REFUSED = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED})
"""What a proxy answers in place of a host that it does not let through."""


def any_answers(urls: Sequence[str], seconds: float = 5.0) -> bool:
    """Whether a server behind one of ``urls`` answers within ``seconds``, with whatever page."""
    pool = ThreadPoolExecutor(max(1, len(urls)))
    asked = [pool.submit(_answers, url, seconds) for url in urls]
    pool.shutdown(wait=False)  # the first that answers is enough
    return any(answer.result() for answer in as_completed(asked))


def _answers(url: str, seconds: float) -> bool:
    try:
        status = probe(url, seconds)
    except OSError:
        return False
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _REFUSED
