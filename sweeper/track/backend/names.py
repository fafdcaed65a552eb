"""Names and texts as MLflow keeps them."""

import hashlib
import posixpath
import re
from collections.abc import Mapping

from sweeper.short_numbers import short_number

_MAX_PARAM = 6000
"""MLflow cuts longer values of parameters."""
_DIGITS = 6
"""Of a parameter that is no whole number; ``config/config.yaml`` and the command have them all."""
MAX_TAG = 5000
"""MLflow refuses longer values of tags."""
_MAX_NAME = 250
"""MLflow refuses longer names."""
_REFUSED = re.compile(r"[^/\w.\- :]")


def param_name(name: str) -> str:
    """``name`` with what MLflow refuses replaced; names that differ stay different.

    They may hold letters, digits, ``_ - . / :`` and blanks, and must be normal as paths.

    >>> param_name("loss.class_weight.Corn_(maize)")
    'loss.class_weight.Corn_-maize--d35bcfb9'
    """
    plain = _REFUSED.sub("-", name)
    path = posixpath.normpath(name)
    normal = path == name and path != "." and not path.startswith(("..", "/"))
    if normal and plain == name and len(name) <= _MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{plain.replace('/', '-').lstrip('.')[: _MAX_NAME - 9]}-{digest}"


def param_value(value: object) -> str:
    """``value`` as recipes write it, numbers with 6 digits; where it is cut, it says so.

    >>> [param_value(value) for value in (None, True, 0.00012345678, 32, ["a", 1e-05], {})]
    ['null', 'true', '1.23457e-4', '32', '[a, 1e-5]', '{}']
    """
    text = _spelled(value)
    if len(text) <= _MAX_PARAM:
        return text
    return f"{text[: _MAX_PARAM - 100]}... ({len(text)} characters; all are in config/config.yaml)"


def _spelled(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return short_number(value, _DIGITS)
        case list():
            return f"[{', '.join(map(_spelled, value))}]"
    return str(value)


def run_name(name: str) -> str:
    """The beginning of ``name``."""
    return name[:_MAX_NAME]


def clipped_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """``tags`` with names that MLflow takes, and the beginnings of their values."""
    return {param_name(key): value[:MAX_TAG] for key, value in tags.items()}
