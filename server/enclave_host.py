"""The coordinator's side of the sum enclave: started, attested to every silo, replaced when it dies.

The coordinator carries what a genuine enclave alone opens; whether it is one each silo decides for itself. An emulated
one proves nothing against whoever controls this process: it holds the root, and can attest anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from privacy.attested_sums.sum_enclave_program import SUM_ENCLAVE, sum_enclave_profile
from privacy.attested_sums.sum_terms import Challenge, SumQuestion, SumTerms
from privacy.enclave.emulated_backend import EmulatedBackend
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.tee_backend import Enclave, TeeBackend
from privacy.errors import EnclaveFailed, RoundRefused
from privacy.flat_messages import decode_message, encode_message, malformed_message
from privacy.masks.secure_aggregation import KeyRoster, smallest_threshold
from privacy.wire import (
    ATTEST,
    CHALLENGE,
    Acknowledgement,
    AttestedEnclave,
    ChallengeRequest,
    Introduction,
    Invitation,
    to_record,
)
from server.enclave_messages import FROM_ENCLAVE, Ask, Attested, Begin, BeginMasked, Done, Refused
from server.settings import RunSettings
from server.silo_link import SiloLink, require_reply

Answer = TypeVar("Answer")
ANSWER_SECONDS = 120.0  # starting included


def emulated_backend(settings: RunSettings) -> TeeBackend:
    """The run's enclaves on this machine. Raises EnclaveUnavailable with what to install."""
    platform = EmulatedPlatform.open(settings.enclave_directory)
    return EmulatedBackend(SUM_ENCLAVE, platform, sum_enclave_profile(settings.enclave_isolation))


@dataclass(frozen=True)
class EnclaveParty:
    """Whose sums an enclave adds up: the accepted invitation, everybody's key, and the masks' roster, if any."""

    invitation: Invitation
    introductions: tuple[Introduction, ...]
    roster: KeyRoster | None

    def terms(self, challenges: dict[str, Challenge]) -> SumTerms:
        """Needing as many silos in a sum as the most demanding of them asks for. Raises RosterRefused."""
        keys = {item.silo: item.public_key for item in self.introductions}
        silos = tuple(sorted(keys))
        fewest = max(smallest_threshold(len(silos)), self.roster.fewest_in_a_sum if self.roster else 0)
        return SumTerms(
            run_id=self.invitation.run_id,
            invitation=self.invitation.digest,
            roster_digest=self.roster.digest if self.roster else b"",
            needed=max(fewest, *(challenge.min_silos for challenge in challenges.values())),
            silos=silos,
            public_keys=tuple(keys[silo] for silo in silos),
            nonces=tuple(challenges[silo].nonce for silo in silos),
        )


class EnclaveHost:
    """One run's enclave. `keep` gets every attestation that all silos accepted."""

    def __init__(
        self,
        link: SiloLink,
        backend: TeeBackend,
        party: EnclaveParty,
        keep: Callable[[AttestedEnclave], None],
    ) -> None:
        self._link, self._backend, self._party, self._keep = link, backend, party, keep
        self._enclave: Enclave | None = None
        self.needed = 0

    def attest(self) -> None:
        """A new enclave, checked by every silo. Raises SiloRefused naming who and why, or EnclaveFailed."""
        self.close()
        request = to_record(ChallengeRequest(self._party.invitation.run_id))
        replies = self._link.ask_all(CHALLENGE, request)
        terms = self._party.terms(
            {silo: require_reply(reply, Challenge, silo) for silo, reply in replies.items()}
        )
        self._enclave = self._backend.start()
        roster = self._party.roster
        begun = self.ask(BeginMasked(terms, roster) if roster else Begin(terms), Attested)
        shown = AttestedEnclave.of(terms, begun.document)
        for silo, reply in sorted(self._link.ask_all(ATTEST, to_record(shown)).items()):
            require_reply(reply, Acknowledgement, silo)
        self.needed = terms.needed
        self._keep(shown)

    def open_sum(self, question: SumQuestion) -> None:
        """Have the enclave wait for this sum, in a new enclave if the one before died: no silo was asked yet."""
        try:
            self.ask(Ask(question), Done)
        except EnclaveFailed:
            self.attest()
            self.ask(Ask(question), Done)

    def ask(self, message: Any, kind: type[Answer]) -> Answer:
        """The enclave's answer. Raises RoundRefused in its words, EnclaveFailed when it died."""
        if self._enclave is None:
            raise EnclaveFailed("the sum enclave was not started", hint="resume the run")
        self._enclave.send(encode_message(message))
        answer = decode_message(self._enclave.receive(seconds=ANSWER_SECONDS), FROM_ENCLAVE)
        if isinstance(answer, Refused):
            raise RoundRefused(f"{answer.error}: {answer.message}", hint=answer.hint)
        if not isinstance(answer, kind):
            raise malformed_message()
        return answer

    def close(self) -> None:
        """End the enclave, if one runs."""
        if self._enclave is not None:
            self._enclave.close()
            self._enclave = None
