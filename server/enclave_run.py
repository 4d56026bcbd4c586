"""Inside the sum enclave: one run, sum by sum. Nobody who sends it messages is trusted.

Guarantee: of each sum number at most one sum comes out of this enclave, over at least `terms.needed` silos, each of
which signed its update for it; numbers only rise. A refusal says which silo or rule, never a value. What other enclaves
of the run open, silos bound: `privacy.attested_sums.sum_terms`.
"""

from collections.abc import Callable
from typing import Any

from privacy.attested_sums.sealed_update import EnclaveAddress, Unseal, UpdateOpener
from privacy.attested_sums.sum_terms import SumQuestion, SumTerms
from privacy.errors import RosterRefused, RoundRefused
from privacy.flat_messages import malformed_message
from privacy.masks.secure_aggregation import KeyRoster
from server.enclave_messages import (
    Ask,
    Attested,
    Begin,
    BeginMasked,
    Close,
    Done,
    Finish,
    Opened,
    Take,
    TakeReply,
    Unmasking,
)
from server.sealed_sums import MaskedInside, OpenSum, PlainInside, SumInside

Attest = Callable[[bytes, bytes], bytes]  # nonce, user data -> document


class EnclaveRun:
    """One run from Begin to the end of the process. `sealing_key`: the public half of what `unseal` holds."""

    def __init__(self, sealing_key: bytes, unseal: Unseal, attest: Attest) -> None:
        self._sealing_key, self._unseal, self._attest = sealing_key, unseal, attest
        self._opener: UpdateOpener | None = None
        self._roster: KeyRoster | None = None
        self._last = 0
        self._sum: SumInside | None = None

    def answer(self, message: Any) -> Any:
        """The answer to one message. Raises PrivacyError: that message opened nothing.

        A number that was asked for stays used, and silos whose masks did not fit stay left out.
        """
        match message:
            case Begin(terms):
                return self._begin(terms, None)
            case BeginMasked(terms, roster):
                return self._begin(terms, roster)
            case Ask(question):
                return self._ask(question)
            case Take(silo, sealed):
                self._current.take(silo, sealed)
                return Done()
            case Close():
                return self._close()
            case TakeReply(silo, sealed):
                self._masked.take_reply(silo, sealed)
                return Done()
            case Finish():
                return self._opened(self._masked.finish())
        raise malformed_message()

    def _begin(self, terms: SumTerms, roster: KeyRoster | None) -> Attested:
        if self._opener is not None:
            raise RoundRefused("this enclave serves a run already", hint="start another enclave")
        if terms.roster_digest != (roster.digest if roster else b"") or (
            roster is not None and (roster.silos != terms.silos or roster.fewest_in_a_sum > terms.needed)
        ):
            raise RosterRefused("terms and roster are not of one run", hint="start the run again")
        document = self._attest(terms.nonce, terms.digest)
        self._opener = UpdateOpener(EnclaveAddress(terms.digest, self._sealing_key), terms, self._unseal)
        self._roster = roster
        return Attested(document)

    def _ask(self, question: SumQuestion) -> Done:
        if self._opener is None or question.run_id != self._opener.terms.run_id:
            raise RoundRefused("the sum is not of the run that this enclave serves", hint="begin a run first")
        if question.number <= self._last:
            raise RoundRefused(
                f"sum {question.number} came again or late, after sum {self._last}; nothing was opened",
                hint="go on with a higher number; no sum is opened twice",
            )
        if question.largest * len(self._opener.terms.silos) >= 2**63:
            raise RoundRefused("the sum could overflow 64 bits", hint="lower max_abs or fraction_bits")
        self._last = question.number
        wanted = OpenSum(self._opener, question)
        self._sum = PlainInside(wanted) if self._roster is None else MaskedInside(wanted, self._roster)
        return Done()

    def _close(self) -> Opened | Unmasking:
        current = self._current
        if isinstance(current, MaskedInside):
            return current.close()
        return self._opened(current.close())

    def _opened(self, opened: Opened) -> Opened:
        self._sum = None
        return opened

    @property
    def _current(self) -> SumInside:
        if self._sum is None:
            raise RoundRefused(
                "no sum is open: it was opened before, or never asked for", hint="ask for the next sum"
            )
        return self._sum

    @property
    def _masked(self) -> MaskedInside:
        if not isinstance(self._current, MaskedInside):
            raise RoundRefused("this sum has no masks", hint="close it")
        return self._current
