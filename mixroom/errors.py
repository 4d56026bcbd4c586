"""Errors of all packages in the words of the command line."""

import os
from dataclasses import dataclass

from cleanroom.errors import RoomError
from clients.errors import SiloError
from mmm_models.errors import ModelError
from privacy.errors import LedgerFault, PrivacyError
from server.errors import ServerError
from simulations.errors import SimulationError

FAILED, USAGE, INTERRUPTED, READER_GONE = 1, 2, 130, 141
TRACEBACK_VARIABLE = "MIXROOM_TRACEBACK"


class CommandError(Exception):
    """Root of what the command line itself refuses; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CommandError):
    """Arguments that do not go together, or name nothing; nothing was started."""


class DataRefused(CommandError):
    """Silo files with problems, which were printed before."""


class Interrupted(CommandError):
    """Ctrl-C."""


@dataclass(frozen=True)
class Explanation:
    """What went wrong, what to do next, and the exit code."""

    message: str
    hint: str
    code: int = FAILED

    @property
    def lines(self) -> str:
        """Two lines, whatever the texts hold."""
        return f"error: {_one_line(self.message)}\nhint: {_one_line(self.hint) or 'see `mixroom --help`'}"


def explain(error: Exception) -> Explanation:
    """Any error in two lines; one that nobody foresaw says how to see where it comes from."""
    if isinstance(error, CommandError):
        code = {UsageError: USAGE, Interrupted: INTERRUPTED}.get(type(error), FAILED)
        return Explanation(str(error), error.hint, code)
    if isinstance(error, LedgerFault):  # its path is not in its message, which travels
        return Explanation(f"{error.path}: {error}", error.hint)
    if isinstance(error, RoomError):
        return Explanation(_with_reasons(error), error.hint)
    if isinstance(error, SiloError | ModelError | PrivacyError | ServerError | SimulationError):
        return Explanation(str(error), error.hint)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return Explanation(
            f"{place}{error.strerror or error}", "check the path, its permissions and the free space"
        )
    return Explanation(
        f"unforeseen {type(error).__name__}: {error}",
        f"this is a mistake in mixroom; set {TRACEBACK_VARIABLE}=1 to see where, and report it",
    )


def wants_traceback() -> bool:
    """Whether the person asked to see where an error comes from."""
    return bool(os.environ.get(TRACEBACK_VARIABLE))


def _with_reasons(error: RoomError) -> str:
    """Message and every reason, so that all can be put right at once."""
    fixes = [f"{reason.message} [{reason.fix}]" if reason.fix else reason.message for reason in error.reasons]
    return " ".join([str(error), *(f"({number}) {text}" for number, text in enumerate(fixes, 1))])


def _one_line(text: str) -> str:
    return " ".join(text.split())
