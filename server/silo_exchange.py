"""The coordinator's side of a run's messages: who is there, who joins, and the sum of what they send."""

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flwr.serverapp import Grid
from numpy.typing import NDArray

from privacy.key_agreement import build_roster
from privacy.quantization import FixedPoint
from privacy.run_terms import SecureAggregation
from privacy.secure_aggregation import KeyAdvert
from privacy.wire import (
    CONTRIBUTE,
    JOIN,
    START,
    Acknowledgement,
    Introduction,
    Invitation,
    KeyRosterMessage,
    SumRequest,
    to_record,
)
from server.collected_sum import Attendance, Failure, WayOfSumming
from server.masked_sums import MaskedSums
from server.plain_sums import PlainSums
from server.settings import RunSettings
from server.silo_link import SiloLink, require_reply


@dataclass(frozen=True, eq=False)
class SiloSum:
    """An exact sum over `silos`, what failed on the way, and the largest number of bytes one silo sent.

    `integers` are what the silos' vectors add up to modulo 2^64; `total` reads them in the request's fixed point.
    """

    integers: NDArray[np.uint64]
    scale: FixedPoint
    silos: tuple[str, ...]
    failures: tuple[Failure, ...]
    bytes_sent: int
    seconds: float

    @cached_property
    def total(self) -> NDArray[np.float64]:
        return self.scale.dequantize(self.integers)


class SiloExchange:
    """One run with its silos, whichever way their sums are protected."""

    def __init__(self, grid: Grid, settings: RunSettings) -> None:
        self.link = SiloLink(grid, settings)
        self._settings = settings
        self.sums: WayOfSumming = PlainSums()

    def gather(self) -> tuple[Introduction, ...]:
        """Wait for all expected silos and learn their names. Raises SilosMissing or SiloRefused."""
        return self.link.gather()

    def start(self, invitation: Invitation) -> None:
        """Invite all silos and start the run; each charges its ledger now. Raises SiloRefused naming who and why."""
        replies = self.link.ask_all(JOIN, to_record(invitation))
        if invitation.masking is SecureAggregation.MASKS:
            roster = build_roster([require_reply(replies[silo], KeyAdvert, silo) for silo in sorted(replies)])
            self.sums = MaskedSums(self.link, roster)
            message = KeyRosterMessage.of(roster)
        else:
            message = KeyRosterMessage.without_masks(invitation.run_id)
            _ = [require_reply(replies[silo], Acknowledgement, silo) for silo in sorted(replies)]
        started = self.link.ask_all(START, to_record(message))
        for silo in sorted(started):
            require_reply(started[silo], Acknowledgement, silo)

    def sum(self, request: SumRequest) -> SiloSum:
        """The sum of all silos' vectors. Raises RoundAborted when too few answer or the policy says so."""
        began = time.perf_counter()
        replies = self.link.send(dict.fromkeys(self.link.node_of, (CONTRIBUTE, to_record(request))))
        attendance = Attendance(len(replies), self._settings.on_failure)
        found = self.sums.collect(request, replies, attendance)
        return SiloSum(
            integers=found.integers,
            scale=FixedPoint(request.fraction_bits, request.max_abs),
            silos=found.silos,
            failures=tuple(attendance.failures),
            bytes_sent=found.bytes_sent,
            seconds=time.perf_counter() - began,
        )
