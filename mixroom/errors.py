"""Errors of all packages in the words of the command line."""

from dataclasses import dataclass

from clients.errors import SiloError
from mmm_models.errors import ModelError
from privacy.errors import PrivacyError
from server.errors import ServerError
from simulations.errors import SimulationError


class UsageError(Exception):
    """Flags that do not go together."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Explanation:
    """What went wrong and what to do next."""

    message: str
    hint: str


def explain(error: Exception) -> Explanation | None:
    """The two lines of a known error; None for a bug."""
    if isinstance(error, SiloError | ModelError | PrivacyError | ServerError | SimulationError | UsageError):
        return Explanation(str(error), error.hint)
    if isinstance(error, OSError):
        return Explanation(str(error), "check the path and its permissions")
    return None
