"""Whether a server answers, found out within a time limit."""

import queue
import threading
import urllib.error
import urllib.request
from http.client import HTTPException


def probe(url: str, seconds: float) -> int:
    """The status with which the server behind ``url`` answers a HEAD request.

    The request runs in a daemon thread: a socket's timeout does not bound it, since a name look-up
    has none, and it begins again for each of the host's addresses.

    Raises:
        OSError: there is no connection; TimeoutError where nothing answers within ``seconds``.
    """
    answers: queue.SimpleQueue[int | OSError] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_ask(url, seconds)), daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _ask(url: str, seconds: float) -> int | OSError:
    try:
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=seconds) as page:
            status: int = page.status
            return status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError as error:
        return error
    except (HTTPException, ValueError) as error:
        return OSError(str(error))
