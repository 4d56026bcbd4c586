"""What every way of summing hands back: integers modulo 2^64, who is in them, who failed and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from privacy.wire import SumRequest
from server.errors import RoundAborted
from server.settings import OnFailure
from server.silo_link import Replies


@dataclass(frozen=True)
class Failure:
    """A silo that did not answer as it should, in words for the operator."""

    silo: str
    reason: str


@dataclass(frozen=True, eq=False)
class Collected:
    """An exact sum over `silos` and the largest number of bytes one silo sent for it."""

    integers: NDArray[np.uint64]
    silos: tuple[str, ...]
    bytes_sent: int


@dataclass(eq=False)
class Attendance:
    """Who failed in one sum so far, and whether it may go on. `asked`: number of silos of the run."""

    asked: int
    on_failure: OnFailure
    failures: list[Failure] = field(default_factory=list)

    def note(self, silo: str, error: Exception | str) -> None:
        """One more silo did not answer as it should."""
        self.failures.append(Failure(silo, str(error)))

    def require_enough(self, silos: Sequence[str], *, needed: int) -> None:
        """Raises RoundAborted when too few are left or the policy says stop at any failure."""
        told = "; ".join(f"{failure.silo}: {failure.reason}" for failure in self.failures)
        if self.failures and self.on_failure is OnFailure.ABORT:
            raise RoundAborted(
                f"a silo failed ({told})", hint="repair it and resume, or choose --on-failure exclude"
            )
        if len(silos) < needed:
            raise RoundAborted(
                f"only {len(silos)} of {self.asked} silos answered, {needed} are needed ({told})",
                hint="repair the silos named and resume the run",
            )


class WayOfSumming(Protocol):
    """From the silos' replies to a sum request to the sum; single contributions never leave it."""

    def collect(self, request: SumRequest, replies: Replies, attendance: Attendance) -> Collected:
        """Raises RoundAborted."""
