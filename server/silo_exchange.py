"""The coordinator's side of a run's messages: who is there, who joins, and the sum of what they send."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from flwr.app import RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from privacy.enclave.tee_backend import TeeBackend
from privacy.masks.key_agreement import build_roster
from privacy.masks.opened_sums import threshold_for_shared_noise
from privacy.masks.secure_aggregation import KeyAdvert, KeyRoster
from privacy.paillier.aggregation import HOLDER, HeldRoster, HolderAdvert
from privacy.quantization import FixedPoint
from privacy.run_terms import PrivacyMode, PrivacyTerms, SecureAggregation
from privacy.wire import (
    CONTRIBUTE,
    JOIN,
    START,
    Acknowledgement,
    AttestedEnclave,
    Introduction,
    Invitation,
    KeyRosterMessage,
    SumRequest,
    to_record,
)
from server.collected_sum import Attendance, Failure, WayOfSumming
from server.enclave_host import EnclaveHost, EnclaveParty, emulated_backend
from server.enclave_sums import EnclaveSums
from server.masked_sums import MaskedSums
from server.paillier_sums import PaillierSums, require_long_enough
from server.plain_sums import PlainSums
from server.settings import RunSettings
from server.silo_link import SiloLink, refused, require_reply

Body = TypeVar("Body")


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

    def __init__(
        self,
        grid: Grid,
        settings: RunSettings,
        *,
        enclaves: Callable[[RunSettings], TeeBackend] = emulated_backend,
    ) -> None:
        self.link = SiloLink(grid, settings)
        self._settings = settings
        self._introductions: tuple[Introduction, ...] = ()
        self._backend = enclaves(settings) if settings.enclave else None
        self._host: EnclaveHost | None = None
        self.sums: WayOfSumming = PlainSums.of(settings)

    def gather(self) -> tuple[Introduction, ...]:
        """Wait for all expected silos and learn their names. Raises SilosMissing or SiloRefused."""
        self._introductions = self.link.gather()
        return self._introductions

    def start(
        self, invitation: Invitation, keep: Callable[[AttestedEnclave], None] = lambda shown: None
    ) -> None:
        """Invite all silos and start the run; each charges its ledger now. Raises SiloRefused naming who and why.

        `keep` gets every attestation of an enclave that all silos accepted, now and when it has to be replaced.
        """
        roster = None
        replies = self.link.ask_all(JOIN, to_record(invitation))
        if invitation.masking is SecureAggregation.MASKS:
            adverts = [require_reply(replies[silo], KeyAdvert, silo) for silo in sorted(replies)]
            roster = build_roster(adverts, threshold=_threshold(invitation.privacy, len(adverts)))
            self.sums = MaskedSums(self.link, roster)
            message = KeyRosterMessage.of(roster)
        elif invitation.masking is SecureAggregation.PAILLIER:
            roster = build_roster([require_reply(replies[silo], KeyAdvert, silo) for silo in sorted(replies)])
            message = self._start_holder(invitation, roster)
        else:
            message = KeyRosterMessage.without_masks(invitation.run_id)
            _ = [require_reply(replies[silo], Acknowledgement, silo) for silo in sorted(replies)]
        if self._backend is not None:
            party = EnclaveParty(invitation, self._introductions, roster)
            self._host = EnclaveHost(self.link, self._backend, party, keep)
            self._host.attest()
            self.sums = EnclaveSums(self.link, self._host, is_masked=roster is not None)
        started = self.link.ask_all(START, to_record(message))
        for silo in sorted(started):
            require_reply(started[silo], Acknowledgement, silo)

    def _start_holder(self, invitation: Invitation, roster: KeyRoster) -> KeyRosterMessage:
        """Have the key holder join and accept the roster, before any silo is charged."""
        held = HeldRoster(roster, self._holders_reply(JOIN, to_record(invitation), HolderAdvert))
        require_long_enough(held, self._settings)
        message = KeyRosterMessage.of(roster, held.holder)
        self._holders_reply(START, to_record(message), Acknowledgement)
        self.sums = PaillierSums(self.link, held)
        return message

    def _holders_reply(self, kind: str, content: RecordDict, body: type[Body]) -> Body:
        reply = self.link.ask_holder(kind, content)
        if reply is None or reply.has_error():
            raise refused(HOLDER, reply)
        return require_reply(reply, body, HOLDER)

    def sum(self, request: SumRequest) -> SiloSum:
        """The sum of all silos' vectors. Raises RoundAborted when too few answer or the policy says so."""
        scale = FixedPoint(request.fraction_bits, request.max_abs)
        scale.require_capacity(len(self.link.node_of))
        began = time.perf_counter()
        if self._host is not None:
            self._host.open_sum(request.sealed())
        replies = self.link.send(dict.fromkeys(self.link.node_of, (CONTRIBUTE, to_record(request))))
        attendance = Attendance(len(replies), self._settings.on_failure)
        found = self.sums.collect(request, replies, attendance)
        return SiloSum(
            integers=found.integers,
            scale=scale,
            silos=found.silos,
            failures=tuple(attendance.failures),
            bytes_sent=found.bytes_sent,
            seconds=time.perf_counter() - began,
        )

    def close(self) -> None:
        """End the run's enclave, if there is one."""
        if self._host is not None:
            self._host.close()
        if self._backend is not None:
            self._backend.close()


def _threshold(privacy: PrivacyTerms, n_silos: int) -> int | None:
    """High enough for the noise that silos share; None for the usual one. Raises InvalidSetting."""
    if privacy.mode is not PrivacyMode.DISTRIBUTED:
        return None
    return threshold_for_shared_noise(n_silos, survivors=privacy.survivors, colluding=privacy.colluding)
