"""How findings write lists, shares and counts."""

from collections.abc import Sequence

MOST_NAMED = 6


def listed(names: Sequence[str]) -> str:
    """`tv`, `tv and radio`, `tv, radio and print`; a long list ends in how many more there are."""
    if len(names) == 1:
        return names[0]
    shown = list(names) if len(names) <= MOST_NAMED else [*names[:3], f"{len(names) - 3} others"]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def percent(share: float) -> str:
    """A share as a whole number of per cent; one decimal below one per cent, and never rounded to nothing."""
    if 0 < share < 0.001:
        return "less than 0.1 %"
    return f"{100 * share:.1f} %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def counted(number: int, noun: str) -> str:
    """`1 week`, `12 weeks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
