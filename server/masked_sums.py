"""Sums under pairwise masks: collect masked vectors, ask once for the seeds, open the sum and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from privacy.errors import PrivacyError, SiloFault
from privacy.masks.mask_coordinator import MaskedRound, UnmaskedSum
from privacy.masks.secure_aggregation import KeyRoster, UnmaskReply, UnmaskRequest
from privacy.quantization import FixedPoint
from privacy.update_messages import MaskedUpdateMessage
from privacy.wire import UNMASK, SumRequest, to_record
from server.collected_sum import Attendance, Collected
from server.errors import RoundAborted
from server.silo_link import NoAnswer, Replies, SiloLink, largest_reply, read_reply


@dataclass(frozen=True)
class MaskedSums:
    """Two messages a silo and sum; `roster.threshold` silos must stay to the end."""

    link: SiloLink
    roster: KeyRoster

    def collect(self, request: SumRequest, replies: Replies, attendance: Attendance) -> Collected:
        masked_round = MaskedRound(self.roster, request.masked(self.roster.digest))
        for silo in self.roster.silos:
            try:
                masked_round.accept_update(read_reply(replies.get(silo), MaskedUpdateMessage, silo).update())
            except (NoAnswer, PrivacyError) as error:
                attendance.note(silo, error)
        attendance.require_enough(masked_round.alive, needed=self.roster.fewest_in_a_sum)
        requests = self._unmask_requests(masked_round, attendance)
        answers = self.link.send({item.silo: (UNMASK, to_record(item)) for item in requests})
        replied = []
        for silo in masked_round.alive:
            try:
                masked_round.accept_reply(read_reply(answers.get(silo), UnmaskReply, silo))
                replied.append(silo)
            except (NoAnswer, PrivacyError) as error:
                attendance.note(silo, error)
        attendance.require_enough(replied, needed=self.roster.threshold)
        unmasked = _opened(masked_round, request)
        for silo in unmasked.faulty:
            attendance.note(silo, "sent wrong shares")
        attendance.require_enough(replied, needed=self.roster.threshold)
        _require_possible(unmasked, request)
        return Collected(unmasked.total, unmasked.silos, largest_reply(replies) + largest_reply(answers))

    def _unmask_requests(self, masked_round: MaskedRound, attendance: Attendance) -> Sequence[UnmaskRequest]:
        """Ask to unmask, leaving out silos whose masks do not fit the others' (one try)."""
        try:
            return masked_round.unmask_requests()
        except SiloFault as error:
            for silo in error.silos:
                masked_round.exclude(silo)
                attendance.note(silo, error)
            attendance.require_enough(masked_round.alive, needed=self.roster.fewest_in_a_sum)
            return masked_round.unmask_requests()


def _opened(masked_round: MaskedRound, request: SumRequest) -> UnmaskedSum:
    try:
        return masked_round.finish()
    except PrivacyError as error:
        raise RoundAborted(f"sum {request.round} cannot be unmasked: {error}", hint=error.hint) from error


def _require_possible(unmasked: UnmaskedSum, request: SumRequest) -> None:
    """No honest silos reach a sum beyond their ranges together: somebody sent more. Raises RoundAborted."""
    largest = FixedPoint(request.fraction_bits, request.max_abs).largest_integer * len(unmasked.silos)
    signed = unmasked.total.view(np.int64)
    if not ((-largest <= signed) & (signed <= largest)).all():
        raise RoundAborted(
            f"sum {request.round} lies beyond what {len(unmasked.silos)} honest silos can send; it was not used",
            hint="some silo's client does not keep to the agreed range; leave silos out one by one to find it",
        )
