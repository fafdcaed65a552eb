"""Numbers as people write learning rates: ``3e-4`` where ``0.0003`` is longer."""


def short_number(value: float, digits: int) -> str:
    """``value`` with ``digits`` significant digits, without or with an exponent: the shorter one.

    >>> [short_number(value, 3) for value in (0.0003, 0.0012345, 0.05, 1e-05, 2.0, 1e30)]
    ['3e-4', '0.00123', '0.05', '1e-5', '2', '1e30']
    """
    plain = _short_exponent(f"{value:.{digits}g}")
    mantissa, mark, exponent = f"{value:.{digits - 1}e}".partition("e")
    if not mark or "e" in plain:  # infinity and nan have no exponent
        return plain
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    scientific = _short_exponent(f"{mantissa}e{exponent}")
    return scientific if len(scientific) < len(plain) else plain


def _short_exponent(text: str) -> str:
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if mark else text
