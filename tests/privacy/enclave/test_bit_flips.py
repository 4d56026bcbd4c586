"""Every single bit of a whole document, flipped: all are refused, in the same words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from privacy.enclave.attestation_verifier import AttestationPolicy, verify_attestation
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.measurement import Measurement
from privacy.errors import AttestationRefused
from tests.privacy.enclave.forgery import (
    NONCE,
    PCRS,
    PUBLIC_KEY,
    USER_DATA,
    Chain,
    accepted,
    require_the_one_text,
)


def test_no_flipped_bit_anywhere_is_accepted(tmp_path: Path) -> None:
    platform = EmulatedPlatform.open(tmp_path)
    measurement = Measurement(PCRS)
    document = platform.attest(
        measurement, public_key=PUBLIC_KEY, user_data=USER_DATA, nonce=NONCE, module_id="worker-0"
    )
    policy = AttestationPolicy((platform.root,), frozenset({measurement.code}))
    now = datetime.now(UTC)
    verify_attestation(document, policy, nonce=NONCE, now=now)

    changed = bytearray(document)
    refused = 0
    for position in range(8 * len(document)):
        changed[position // 8] ^= 1 << position % 8
        try:
            verify_attestation(bytes(changed), policy, nonce=NONCE, now=now)
        except AttestationRefused as refusal:
            require_the_one_text(refusal)
            refused += 1
        changed[position // 8] ^= 1 << position % 8

    assert bytes(changed) == document
    assert refused == 8 * len(document) > 12_000


@pytest.mark.slow
@pytest.mark.parametrize("part", ["leaf", "host"])
def test_no_flipped_bit_of_a_certificate_is_accepted_under_a_fresh_signature(chain: Chain, part: str) -> None:
    """Whoever holds a leaf's key can sign any document again; what the root and the host signed must still hold."""
    sound = (chain.leaf if part == "leaf" else chain.hosts[0]).certificate
    changed = bytearray(sound)
    for position in range(8 * len(sound)):
        changed[position // 8] ^= 1 << position % 8
        bundle = [chain.root.certificate, bytes(changed)]
        fields = {"certificate": bytes(changed)} if part == "leaf" else {"cabundle": bundle}
        document = chain.document(**fields)
        with pytest.raises(AttestationRefused) as refusal:
            accepted(document, chain.policy)
        require_the_one_text(refusal.value)
        changed[position // 8] ^= 1 << position % 8

    accepted(chain.document(), chain.policy)
