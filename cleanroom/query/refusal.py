"""How a part of a query is refused: one reason with its fix, raised where it is found and collected above."""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.errors import Reason


class Refused(Exception):
    """One part of the query does not map into the plan. Collected; users see QueryRefused with all of them."""

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.reason = Reason(code, message, fix)


class Reasons:
    """All reasons found so far, each once, in the order in which they were found."""

    def __init__(self, found: Iterable[Reason] = ()) -> None:
        self._found: dict[Reason, None] = dict.fromkeys(found)

    def add(self, reason: Reason) -> None:
        """Keep a reason; one that is there already is not repeated."""
        self._found.setdefault(reason)

    @property
    def found(self) -> tuple[Reason, ...]:
        """Every reason once."""
        return tuple(self._found)
