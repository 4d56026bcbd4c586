"""Whether this silo trusts the run's enclave: by its own pins, its own installation's measurement and its own file."""

from dataclasses import replace
from datetime import UTC, datetime

from clients.errors import OutOfOrder, TermsRefused
from clients.membership import smallest_sum
from clients.session import Session, TrustedEnclave
from clients.silo_home import SiloHome
from mmm_models.intake.silo_spec import SiloSpec
from privacy.attested_sums.silo_attestation import EnclaveRules, Expected, accept_enclave, new_challenge
from privacy.attested_sums.sum_enclave_program import own_measurement
from privacy.attested_sums.sum_terms import Challenge
from privacy.enclave.attestation_verifier import AttestationPolicy
from privacy.enclave.isolation import Isolation
from privacy.masks.mask_state import SiloMaskState
from privacy.run_terms import SecureAggregation
from privacy.wire import AttestedEnclave


def give_nonce(spec: SiloSpec, session: Session) -> tuple[Session, Challenge]:
    """A fresh nonce, and the session to store before sending it. An enclave trusted before is trusted no longer."""
    least = smallest_sum(spec, session.invitation.privacy)
    challenge = new_challenge(spec.silo, session.invitation.run_id, min_silos=least)
    return replace(session, nonce=challenge.nonce, enclave=None, sealed=None), challenge


def trust_enclave(spec: SiloSpec, home: SiloHome, session: Session, shown: AttestedEnclave) -> Session:
    """Seal to this enclave from now on; the nonce is spent.

    Its silos are those of the run's first enclave, also after a new invitation. Raises what `accept_enclave` raises,
    TermsRefused, or OutOfOrder.
    """
    terms, invitation = shown.terms(), session.invitation
    if not session.nonce or not invitation.enclave:
        raise OutOfOrder(
            "no nonce of this silo's waits for an attestation",
            hint="ask for a nonce first; each is used once",
        )
    least = smallest_sum(spec, invitation.privacy)
    challenge = Challenge(spec.silo, invitation.run_id, session.nonce, least)
    address = accept_enclave(
        terms,
        shown.document,
        expected=Expected(challenge, home.identity.public_key, invitation.digest),
        rules=EnclaveRules(_policy(spec, home), home.peers),
        now=datetime.now(UTC),
    )
    enclave = TrustedEnclave(address, terms.roster_digest)
    if session.started:
        enclave.require_roster(_joined_roster(session))
    home.agree_silos_once(terms.run_id, terms.membership)
    return replace(session, nonce=b"", enclave=enclave)


def _policy(spec: SiloSpec, home: SiloHome) -> AttestationPolicy:
    """The measurements of this silo's own installation, and those its file names."""
    rules, roots = spec.privacy, home.enclave_roots
    if not roots:
        raise TermsRefused(
            f"{spec.silo} has pinned no root of trust for enclaves",
            hint="obtain the root from the coordinator's operator, compare its fingerprint, and pin it with "
            "`mixroom silo pin-enclave`",
        )
    accepted = [Isolation.FULL] + [Isolation.REDUCED] * (rules.enclave_isolation == "reduced")
    measured = frozenset(own_measurement(isolation) for isolation in accepted)
    return AttestationPolicy(roots, measured | set(rules.enclave_measurements), production=rules.production)


def _joined_roster(session: Session) -> bytes:
    if session.invitation.masking is SecureAggregation.MASKS:
        return SiloMaskState.from_bytes(session.masking).roster_digest
    return b""
