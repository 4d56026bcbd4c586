"""The known name somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest_name(name: str, known: Iterable[str]) -> str:
    """The known name most like this one, capitals aside; "" when none is."""
    by_lower = {item.lower(): item for item in known if item}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[close[0]] if close else ""
