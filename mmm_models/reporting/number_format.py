"""Numbers as people read them: `1.94 M EUR`, `24.8 %`, `n/a`. Spaces do not break, minus signs are real."""

import math
from collections.abc import Callable

NOT_AVAILABLE = "n/a"
SPACE = "\N{NO-BREAK SPACE}"
_STEPS = ((1e12, "tn"), (1e9, "bn"), (1e6, "M"), (1e3, "k"))


def amount(value: float | None, unit: str = "") -> str:
    """Three significant digits with a magnitude word: 1 940 000 EUR is `1.94 M EUR`."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    rounded = float(f"{value:.3g}")
    for size, word in _STEPS:
        if abs(rounded) >= size:
            return _join(_significant(rounded / size), word, unit)
    return _join(_significant(rounded), "", unit)


def round_amount(value: float | None, unit: str = "") -> str:
    """As `amount`, for the round numbers at an axis: `50 k` instead of `50.0 k`."""
    number, space, words = amount(value, unit).partition(SPACE)
    return (number.rstrip("0").rstrip(".") if "." in number else number) + space + words


def signed_amount(value: float | None, unit: str = "") -> str:
    """As `amount`, for changes, where the direction matters."""
    return _with_plus(amount(value, unit), value)


def decimal(value: float | None, digits: int = 2) -> str:
    """Fixed decimals, for ratios such as ROI."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    return _true_minus(f"{value:,.{digits}f}").replace(",", SPACE)


def count(value: float | None) -> str:
    """A whole number with thousands apart; noised counts are rounded and never below zero."""
    return decimal(value if value is None or not math.isfinite(value) else max(value, 0.0), 0)


def percent(fraction: float | None, digits: int = 1) -> str:
    """0.248 is `24.8 %`."""
    return _suffixed(decimal(None if fraction is None else 100 * fraction, digits), "%")


def signed_percent(fraction: float | None, digits: int = 0) -> str:
    """0.248 is `+25 %`: for errors, where the direction matters."""
    return _with_plus(percent(fraction, digits), fraction)


def span(low: float, high: float, show: Callable[[float | None], str]) -> str:
    """From `low` to `high` as `show` writes them, a unit or magnitude they share said once: `4.51–6.28 M`.

    Empty when one of them is not a number; one number when both are written alike.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    first, last = show(low), show(high)
    if first == last:
        return last
    unit = _unit(last)
    if unit and _unit(first) == unit:
        first = first.removesuffix(unit)
    return f"{first} to {last}" if "\N{MINUS SIGN}" in first + last else f"{first}–{last}"


def points(value: float | None) -> str:
    """Percentage points, two decimals."""
    return decimal(value, 2)


def signed_points(value: float | None) -> str:
    """Percentage points with direction, one decimal."""
    return _with_plus(decimal(value, 1), value)


def significant(value: float | None, digits: int = 3) -> str:
    """For settings that span magnitudes: clip norms, delta, losses."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    return _true_minus(f"{value:.{digits}g}")


def seconds(value: float | None) -> str:
    """`0.8 s`, `12 s`, `3 min 20 s`."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    if value < 59.5:
        return _suffixed(decimal(value, 1 if value < 9.95 else 0), "s")
    minutes, rest = divmod(round(value), 60)
    return f"{minutes}{SPACE}min" + (f"{SPACE}{rest}{SPACE}s" if rest else "")


def size_in_bytes(value: float | None) -> str:
    """`1.94 MB` in powers of a thousand."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    number, _, word = amount(value).partition(SPACE)
    return _suffixed(number, {"": "B", "k": "kB", "M": "MB", "bn": "GB", "tn": "TB"}[word])


def _unit(text: str) -> str:
    """What stands behind the number, its space included; empty for digits alone, however they are grouped."""
    _, space, word = text.rpartition(SPACE)
    return space + word if space and not any(map(str.isdigit, word)) else ""


def _significant(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) < 1:
        return _true_minus(f"{value:.3g}")
    return _true_minus(f"{value:.{max(2 - math.floor(math.log10(abs(value))), 0)}f}")


def _join(number: str, word: str, unit: str) -> str:
    return SPACE.join(part for part in (number, word, unit) if part)


def _suffixed(text: str, suffix: str) -> str:
    return text if text == NOT_AVAILABLE else text + SPACE + suffix


def _with_plus(text: str, value: float | None) -> str:
    shows_zero = not any(digit in text for digit in "123456789")
    if shows_zero:
        return text.removeprefix("\N{MINUS SIGN}")
    return f"+{text}" if value is not None and value > 0 else text


def _true_minus(text: str) -> str:
    shows_zero = text.startswith("-") and not text.strip("-0.,")
    return text.removeprefix("-") if shows_zero else text.replace("-", "\N{MINUS SIGN}")
