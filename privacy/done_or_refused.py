"""The two answers that conversations between processes share: it was done, or it was refused and why."""

from dataclasses import dataclass
from typing import Self

from privacy.errors import PrivacyError


@dataclass(frozen=True)
class Done:
    """Taken; there is nothing more to say."""


@dataclass(frozen=True)
class Refused:
    """An error's class, sentence and hint. Errors hold no values, so it holds none either."""

    error: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: PrivacyError) -> Self:
        """The error as whoever asked gets it."""
        return cls(type(error).__name__, str(error), error.hint)
