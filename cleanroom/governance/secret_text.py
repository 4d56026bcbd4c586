"""A text that must not be printed or logged by accident."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Secret:
    """Prints as `***`; only `reveal()` opens it."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __str__(self) -> str:
        return "***"

    def __repr__(self) -> str:
        return "Secret(***)"
