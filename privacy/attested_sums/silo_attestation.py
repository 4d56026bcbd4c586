"""A silo's side of attestation: a fresh nonce out, and the enclave accepted or refused before any data are read."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from privacy.attested_sums.sealed_update import EnclaveAddress
from privacy.attested_sums.sum_terms import NONCE_BYTES, Challenge, SumTerms
from privacy.enclave.attestation_document import attestation_refused
from privacy.enclave.attestation_verifier import AttestationPolicy, verify_attestation
from privacy.errors import RosterRefused, UntrustedPeer
from privacy.identity import PinnedPeers

SEALING_KEY_BYTES = 32  # the first half of what is attested; the second signs
ATTESTED_KEY_BYTES = 64


@dataclass(frozen=True)
class EnclaveRules:
    """What this silo accepts: its policy for attestations, and its own pins of the other silos' keys."""

    policy: AttestationPolicy
    peers: PinnedPeers


@dataclass(frozen=True)
class Expected:
    """What the silo knows without the coordinator: its own key, the invitation it accepted, the nonce it gave."""

    challenge: Challenge
    public_key: bytes
    invitation: bytes


def new_challenge(
    silo: str, run_id: str, *, min_silos: int, randbytes: Callable[[int], bytes] = secrets.token_bytes
) -> Challenge:
    """To be stored by the silo, used for one attestation and forgotten."""
    return Challenge(silo, run_id, randbytes(NONCE_BYTES), min_silos)


def accept_enclave(
    terms: SumTerms, document: bytes, *, expected: Expected, rules: EnclaveRules, now: datetime
) -> EnclaveAddress:
    """The enclave to seal to. Raises RosterRefused, UntrustedPeer or AttestationRefused; nothing was sent.

    Whether its silos are those that the run began with, the silo compares itself (`SumTerms.membership`).
    """
    _require_own_place(terms, expected)
    _require_pinned(terms, expected.challenge.silo, rules.peers)
    attested = verify_attestation(document, rules.policy, nonce=terms.nonce, now=now)
    bound = hmac.compare_digest(attested.user_data, terms.digest)
    if not bound or len(attested.public_key) != ATTESTED_KEY_BYTES:
        raise attestation_refused()
    return EnclaveAddress(terms.digest, attested.public_key[:SEALING_KEY_BYTES])


def _require_own_place(terms: SumTerms, expected: Expected) -> None:
    own = expected.challenge
    if terms.run_id != own.run_id or terms.invitation != expected.invitation:
        raise RosterRefused(
            "the enclave was started for another run, or for other terms than were agreed",
            hint="start an enclave for this run, with the silos' own terms",
        )
    if own.silo not in terms.silos or terms.public_key_of(own.silo) != expected.public_key:
        raise RosterRefused(
            f"the enclave's terms lack {own.silo}, or name another key for it",
            hint="start an enclave for all silos",
        )
    if terms.nonces[terms.silos.index(own.silo)] != own.nonce:
        raise RosterRefused(
            f"the enclave does not answer the nonce that {own.silo} gave",
            hint="ask every silo for a fresh nonce, then have the enclave attested",
        )
    if terms.needed < own.min_silos:
        raise RosterRefused(
            f"the enclave opens sums of {terms.needed} silos, {own.silo} asks for at least {own.min_silos}",
            hint="start an enclave that needs as many silos as the most demanding one asks for",
        )


def _require_pinned(terms: SumTerms, own: str, peers: PinnedPeers) -> None:
    """Whoever may sign updates must be known: made-up silos would leave a real one alone in its sum."""
    for silo, key in zip(terms.silos, terms.public_keys, strict=True):
        if silo != own and peers.keys.get(silo) != key:
            raise UntrustedPeer(
                f"the enclave would take updates under a key for {silo} that is not the one pinned for it",
                hint=f"obtain {silo}'s public key from its owner, not from the coordinator, and pin it",
            )
