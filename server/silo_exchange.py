"""The coordinator's side of every message: who is there, who joins, and the sum of what they send."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from privacy.errors import MalformedMessage, PrivacyError, SiloFault
from privacy.key_agreement import build_roster
from privacy.mask_coordinator import MaskedRound
from privacy.quantization import FixedPoint
from privacy.run_terms import SecureAggregation
from privacy.secure_aggregation import KeyAdvert, KeyRoster, UnmaskReply
from privacy.wire import (
    CONTRIBUTE,
    HELLO,
    JOIN,
    START,
    UNMASK,
    Acknowledgement,
    Introduction,
    Invitation,
    KeyRosterMessage,
    MaskedUpdateMessage,
    PlainUpdate,
    SumRequest,
    from_record,
    size_of,
    to_record,
    unpack_integers,
)
from server.errors import RoundAborted, SiloRefused, SilosMissing
from server.settings import OnFailure, RunSettings

Body = TypeVar("Body")
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Failure:
    """A silo that did not answer as it should, in words for the operator."""

    silo: str
    reason: str


@dataclass(frozen=True, eq=False)
class SiloSum:
    """An exact sum over `silos`, what failed on the way, and the largest number of bytes one silo sent."""

    total: NDArray[np.float64]
    silos: tuple[str, ...]
    failures: tuple[Failure, ...]
    bytes_sent: int
    seconds: float


@dataclass(eq=False)
class SiloExchange:
    """Talks to the silos of one run over a Flower Grid; single contributions never leave this class."""

    grid: Grid
    settings: RunSettings
    node_of: dict[str, int] = field(default_factory=dict)
    roster: KeyRoster | None = None
    invitation: Invitation | None = None

    def gather(self) -> tuple[Introduction, ...]:
        """Wait for all expected silos and learn their names. Raises SilosMissing or SiloRefused."""
        nodes = self._wait_for_nodes()
        replies = self._send({node: (HELLO, RecordDict()) for node in nodes})
        introductions: dict[int, Introduction] = {}
        for node, reply in replies.items():
            introductions[node] = _require(reply, Introduction, f"node {node}")
        self.node_of = {introduction.silo: node for node, introduction in introductions.items()}
        if len(self.node_of) < len(nodes):
            raise SilosMissing(
                f"{len(nodes)} nodes answered with {len(self.node_of)} different silo names",
                hint="give every silo its own name, and every client its own silo file",
            )
        return tuple(sorted(introductions.values(), key=lambda item: item.silo))

    def start(self, invitation: Invitation) -> None:
        """Invite all silos and start the run; each charges its ledger now. Raises SiloRefused naming who and why."""
        self.invitation = invitation
        replies = self._ask_all(JOIN, to_record(invitation))
        masked = invitation.masking is SecureAggregation.MASKS
        if masked:
            adverts = [_require(replies[silo], KeyAdvert, silo) for silo in sorted(replies)]
            self.roster = build_roster(adverts)
            message = KeyRosterMessage.of(self.roster)
        else:
            message = KeyRosterMessage.without_masks(invitation.run_id)
            _ = [_require(replies[silo], Acknowledgement, silo) for silo in sorted(replies)]
        started = self._ask_all(START, to_record(message))
        for silo in sorted(started):
            _require(started[silo], Acknowledgement, silo)

    def sum(self, request: SumRequest) -> SiloSum:
        """The sum of all silos' vectors. Raises RoundAborted when too few answer or the policy says so."""
        began = time.perf_counter()
        scale = FixedPoint(request.fraction_bits, request.max_abs)
        replies = self._send_to_silos(dict.fromkeys(self.node_of, (CONTRIBUTE, to_record(request))))
        if self.roster is None:
            total, silos, failures = self._plain_sum(request, scale, replies)
            sent = _largest(replies)
        else:
            total, silos, failures, sent = self._masked_sum(request, scale, replies)
        return SiloSum(total, silos, tuple(failures), sent, time.perf_counter() - began)

    def _plain_sum(
        self, request: SumRequest, scale: FixedPoint, replies: dict[str, Message | None]
    ) -> tuple[NDArray[np.float64], tuple[str, ...], list[Failure]]:
        failures: list[Failure] = []
        total, silos = np.zeros(request.length, dtype=np.uint64), []
        for silo in sorted(self.node_of):
            try:
                update = _read(replies.get(silo), PlainUpdate, silo)
                total += _checked_vector(update, request, scale, silo)
                silos.append(silo)
            except (_NoAnswer, PrivacyError) as error:
                failures.append(Failure(silo, str(error)))
        self._require_enough(silos, failures, needed=max(1, (2 * len(self.node_of)) // 3))
        return scale.dequantize(total), tuple(silos), failures

    def _masked_sum(
        self, request: SumRequest, scale: FixedPoint, replies: dict[str, Message | None]
    ) -> tuple[NDArray[np.float64], tuple[str, ...], list[Failure], int]:
        assert self.roster is not None
        masked_round = MaskedRound(self.roster, request.masked(self.roster.digest))
        failures: list[Failure] = []
        for silo in self.roster.silos:
            try:
                masked_round.accept_update(_read(replies.get(silo), MaskedUpdateMessage, silo).update())
            except (_NoAnswer, PrivacyError) as error:
                failures.append(Failure(silo, str(error)))
        self._require_enough(masked_round.alive, failures, needed=self.roster.threshold)
        requests = self._unmask_requests(masked_round, failures)
        answers = self._send_to_silos({item.silo: (UNMASK, to_record(item)) for item in requests})
        replied = []
        for silo in masked_round.alive:
            try:
                masked_round.accept_reply(_read(answers.get(silo), UnmaskReply, silo))
                replied.append(silo)
            except (_NoAnswer, PrivacyError) as error:
                failures.append(Failure(silo, str(error)))
        self._require_enough(replied, failures, needed=self.roster.threshold)
        try:
            unmasked = masked_round.finish()
        except PrivacyError as error:
            raise RoundAborted(f"sum {request.round} cannot be unmasked: {error}", hint=error.hint) from error
        failures += [Failure(silo, "sent wrong shares") for silo in unmasked.faulty]
        self._require_enough(replied, failures, needed=self.roster.threshold)
        return (
            scale.dequantize(unmasked.total),
            unmasked.silos,
            failures,
            _largest(replies) + _largest(answers),
        )

    def _unmask_requests(self, masked_round: MaskedRound, failures: list[Failure]) -> Sequence[Any]:
        """Ask to unmask, leaving out silos whose masks do not fit the others' (one try)."""
        try:
            return masked_round.unmask_requests()
        except SiloFault as error:
            for silo in error.silos:
                masked_round.exclude(silo)
                failures.append(Failure(silo, str(error)))
            assert self.roster is not None
            self._require_enough(masked_round.alive, failures, needed=self.roster.threshold)
            return masked_round.unmask_requests()

    def _require_enough(self, silos: Sequence[str], failures: list[Failure], *, needed: int) -> None:
        told = "; ".join(f"{failure.silo}: {failure.reason}" for failure in failures)
        if failures and self.settings.on_failure is OnFailure.ABORT:
            raise RoundAborted(
                f"a silo failed ({told})", hint="repair it and resume, or choose --on-failure exclude"
            )
        if len(silos) < needed:
            raise RoundAborted(
                f"only {len(silos)} of {len(self.node_of)} silos answered, {needed} are needed ({told})",
                hint="repair the silos named and resume the run",
            )

    def _wait_for_nodes(self) -> list[int]:
        expected, deadline = self.settings.expected_silos, time.monotonic() + self.settings.wait_seconds
        while len(nodes := sorted(self.grid.get_node_ids())) < expected:
            if time.monotonic() > deadline:
                raise SilosMissing(
                    f"{len(nodes)} of {expected} silos came within {self.settings.wait_seconds:g} s",
                    hint="start the missing clients, or lower expected-silos",
                )
            time.sleep(POLL_SECONDS)
        return nodes

    def _ask_all(self, kind: str, content: RecordDict) -> dict[str, Message]:
        """Every silo must answer: nobody has been asked for data yet."""
        replies = self._send_to_silos(dict.fromkeys(self.node_of, (kind, content)))
        for silo in sorted(self.node_of):
            reply = replies.get(silo)
            if reply is None or reply.has_error():
                raise _refused(silo, reply)
        return {silo: reply for silo, reply in replies.items() if reply is not None}

    def _send_to_silos(self, contents: dict[str, tuple[str, RecordDict]]) -> dict[str, Message | None]:
        replies = self._send({self.node_of[silo]: content for silo, content in contents.items()})
        return {silo: replies.get(self.node_of[silo]) for silo in contents}

    def _send(self, contents: dict[int, tuple[str, RecordDict]]) -> dict[int, Message]:
        """Replies by node. An error about a lost node comes from elsewhere: match by the message it answers."""
        messages = [Message(content, node, kind) for node, (kind, content) in contents.items()]
        replies = list(self.grid.send_and_receive(messages, timeout=self.settings.timeout_seconds))
        sent = {message.metadata.message_id: message.metadata.dst_node_id for message in messages}
        return {sent[reply.metadata.reply_to_message_id]: reply for reply in replies}


class _NoAnswer(Exception):
    """A silo sent an error, or nothing in time."""


def _read(reply: Message | None, kind: type[Body], silo: str) -> Body:
    """The silo's message; raises _NoAnswer or MalformedMessage. A silo speaks only for itself."""
    if reply is None:
        raise _NoAnswer("no answer in time")
    if reply.has_error():
        raise _NoAnswer((reply.error.reason or "failed without a reason").replace("\n", "; "))
    body = from_record(reply.content, kind)
    if getattr(body, "silo", silo) != silo:
        raise MalformedMessage(
            "the message names another silo", silos=(silo,), hint="check the silo's client"
        )
    return body


def _checked_vector(
    update: PlainUpdate, request: SumRequest, scale: FixedPoint, silo: str
) -> NDArray[np.uint64]:
    """A clear vector of the right length, round and range; nonsense is never added."""
    vector = unpack_integers(update.vector)
    signed = vector.view(np.int64)
    largest = scale.largest_integer  # not np.abs: the smallest int64 has no positive counterpart
    in_range = vector.shape == (request.length,) and bool(((-largest <= signed) & (signed <= largest)).all())
    if update.context != request.model_digest or not in_range:
        raise MalformedMessage(
            "the vector has the wrong length, round or range", silos=(silo,), hint="check the silo's client"
        )
    return vector


def _require(reply: Message, kind: type[Body], silo: str) -> Body:
    try:
        if reply.has_error() or kind is not Introduction:
            return _read(reply, kind, silo)
        return from_record(reply.content, kind)
    except (_NoAnswer, PrivacyError) as error:
        raise _refused(silo, reply) from error


def _refused(silo: str, reply: Message | None) -> SiloRefused:
    """The silo's own words; its hint, when it sent one, becomes ours."""
    if reply is None:
        return SiloRefused(
            f"{silo} does not take part: no answer in time", hint="check that its client is running"
        )
    if not reply.has_error():
        return SiloRefused(
            f"{silo} does not take part: malformed answer", hint="run the same version everywhere"
        )
    reason, _, hint = (reply.error.reason or "failed without a reason").partition("\n")
    return SiloRefused(f"{silo} does not take part: {reason}", hint=hint or "look at that silo's own log")


def _largest(replies: dict[str, Message | None]) -> int:
    sizes: Iterable[int] = (
        size_of(reply.content) for reply in replies.values() if reply and not reply.has_error()
    )
    return max(sizes, default=0)
