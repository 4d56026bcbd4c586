"""Inside the sum enclave: one sum of what silos sealed, in clear or masked; single vectors never leave it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.attested_sums.sealed_update import UpdateOpener
from privacy.attested_sums.sum_terms import SumQuestion
from privacy.errors import MalformedMessage, RoundRefused, SiloFault, TooFewSilos
from privacy.masks.mask_coordinator import MaskedRound
from privacy.masks.secure_aggregation import KeyRoster, MaskRequest, UnmaskReply, UnmaskRequest
from privacy.update_messages import MaskedUpdateMessage, PlainUpdate, unpack_integers
from server.enclave_messages import Opened, Unmasking

Integers = NDArray[np.uint64]


@dataclass(frozen=True)
class OpenSum:
    """What is asked for, and what opens the silos' parts of it."""

    opener: UpdateOpener
    question: SumQuestion

    def require_enough(self, count: int) -> None:
        """Raises TooFewSilos below the agreed number; nothing is opened then, unless more silos' parts come."""
        terms = self.opener.terms
        if count < terms.needed:
            raise TooFewSilos(
                f"{count} of {len(terms.silos)} silos are in the sum, {terms.needed} are needed; nothing was opened",
                hint="go on with the next sum when more silos are reachable",
            )

    def lies_within(self, integers: Integers, *, silos: int) -> bool:
        """Whether so many silos that keep to the agreed range can have sent this together."""
        largest, signed = self.question.largest * silos, integers.view(np.int64)
        # Not np.abs: the smallest int64 has no positive counterpart.
        return bool(((-largest <= signed) & (signed <= largest)).all())


class PlainInside:
    """Vectors in clear, under the seal alone."""

    def __init__(self, wanted: OpenSum) -> None:
        self._wanted = wanted
        self._total = np.zeros(wanted.question.length, dtype=np.uint64)
        self._silos: list[str] = []

    def take(self, silo: str, sealed: bytes) -> None:
        """Add one silo's vector. Raises MalformedMessage naming the silo, and adds nothing."""
        question = self._wanted.question
        update = self._wanted.opener.open(silo, question, sealed)
        fits = (
            isinstance(update, PlainUpdate)
            and silo not in self._silos
            and update.context == question.question
            and len(update.vector) == 8 * question.length
        )
        if not fits:
            raise _misfit(silo)
        vector = unpack_integers(update.vector)
        if not self._wanted.lies_within(vector, silos=1):
            raise _misfit(silo)
        self._total += vector
        self._silos.append(silo)

    def close(self) -> Opened:
        """The sum. Raises TooFewSilos."""
        self._wanted.require_enough(len(self._silos))
        return Opened(tuple(sorted(self._silos)), self._total.astype("<u8").tobytes(), ())


class MaskedInside:
    """Vectors under masks as well: a second lock, should the enclave's be picked."""

    def __init__(self, wanted: OpenSum, roster: KeyRoster) -> None:
        asked = wanted.question
        masked = MaskRequest(
            asked.run_id, asked.number, asked.question, roster.digest, asked.length, asked.fraction_bits
        )
        self._wanted, self._round = wanted, MaskedRound(roster, masked)
        self._is_closed = False

    def take(self, silo: str, sealed: bytes) -> None:
        """Take one silo's masked vector. Raises MalformedMessage naming the silo, and takes nothing."""
        update = self._wanted.opener.open(silo, self._wanted.question, sealed)
        if not isinstance(update, MaskedUpdateMessage):
            raise _misfit(silo)
        self._round.accept_update(update.update())

    def close(self) -> Unmasking:
        """What silos must be asked, leaving out silos whose masks do not fit the others'.

        Once a sum: who is left out is decided in one go. Raises TooFewSilos, MasksDisagree or RoundRefused.
        """
        self._wanted.require_enough(len(self._round.alive))
        if self._is_closed:
            raise RoundRefused("this sum was closed before", hint="finish it, or ask for the next sum")
        self._is_closed = True
        requests, at_odds = self._unmask_requests()
        return Unmasking(requests, at_odds)

    def take_reply(self, silo: str, sealed: bytes) -> None:
        """Take one silo's shares. Raises MalformedMessage naming the silo, and takes nothing."""
        reply = self._wanted.opener.open(silo, self._wanted.question, sealed)
        if not isinstance(reply, UnmaskReply):
            raise _misfit(silo)
        self._round.accept_reply(reply)

    def finish(self) -> Opened:
        """The sum. Raises TooFewSilos, ReconstructionFailed or RoundRefused."""
        self._wanted.require_enough(len(self._round.alive))
        found = self._round.finish()
        if not self._wanted.lies_within(found.total, silos=len(found.silos)):
            raise RoundRefused(
                f"the sum lies beyond what {len(found.silos)} honest silos can send; it was not opened",
                hint="some silo's client does not keep to the agreed range; leave silos out one by one to find it",
            )
        return Opened(found.silos, found.total.astype("<u8").tobytes(), found.faulty)

    def _unmask_requests(self) -> tuple[tuple[UnmaskRequest, ...], tuple[str, ...]]:
        try:
            return self._round.unmask_requests(), ()
        except SiloFault as error:
            for silo in error.silos:
                self._round.exclude(silo)
            self._wanted.require_enough(len(self._round.alive))
            return self._round.unmask_requests(), error.silos


SumInside = PlainInside | MaskedInside


def _misfit(silo: str) -> MalformedMessage:
    return MalformedMessage(
        f"the update of {silo} has the wrong shape, sum or range, or came twice; it was not used",
        silos=(silo,),
        hint="go on without this silo; check that it runs the same version",
    )
