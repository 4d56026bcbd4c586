"""A silo's message to the enclave: signed by the silo's long-term key, sealed to the enclave's attested one.

Plaintext: a 64-byte Ed25519 signature, then the message (`flat_messages`). HPKE does not say who sealed; the signature
does, and names the enclave's key, its terms and the sum, so that nothing can be passed on to another enclave or sum.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from privacy.attested_sums.sum_terms import SumQuestion, SumTerms
from privacy.errors import MalformedMessage, PrivacyError
from privacy.flat_messages import decode_message, encode_message
from privacy.identity import SiloIdentity, verify
from privacy.masks.secure_aggregation import UnmaskReply, canonical_bytes
from privacy.sealing import seal_message
from privacy.update_messages import MaskedUpdateMessage, PlainUpdate

SIGNATURE_BYTES = 64
SEALED_KINDS = (PlainUpdate, MaskedUpdateMessage, UnmaskReply)

Unseal = Callable[[bytes, dict[str, object]], bytes]


@dataclass(frozen=True)
class EnclaveAddress:
    """The enclave that a silo or a process inside means: its terms' digest and its X25519 key, 32 bytes each."""

    terms: bytes
    sealing_key: bytes


def seal_update(
    identity: SiloIdentity, enclave: EnclaveAddress, question: SumQuestion, message: Any
) -> bytes:
    """`message` (PlainUpdate, MaskedUpdateMessage or UnmaskReply) for that enclave and sum only."""
    body = encode_message(message)
    signature = identity.sign(_signed_bytes(enclave, question, identity.silo, body))
    return seal_message(signature + body, enclave.sealing_key, _context(enclave, question, identity.silo))


@dataclass(frozen=True)
class UpdateOpener:
    """Inside the enclave: opens what silos of `terms` sealed to it. `unseal` holds the private key."""

    enclave: EnclaveAddress
    terms: SumTerms
    unseal: Unseal

    def open(self, silo: str, question: SumQuestion, sealed: bytes) -> Any:
        """The silo's own message. Raises MalformedMessage naming the silo, in one way for every cause."""
        try:
            key = self.terms.public_key_of(silo)
            opened = self.unseal(sealed, _context(self.enclave, question, silo))
            signature, body = opened[:SIGNATURE_BYTES], opened[SIGNATURE_BYTES:]
            if not verify(key, _signed_bytes(self.enclave, question, silo, body), signature):
                raise _not_for_this_sum(silo)
            message = decode_message(body, SEALED_KINDS)
            if message.silo != silo:
                raise _not_for_this_sum(silo)
        except PrivacyError as error:
            raise _not_for_this_sum(silo) from error
        return message


def _context(enclave: EnclaveAddress, question: SumQuestion, silo: str) -> dict[str, object]:
    return {
        "purpose": "attested sum",
        "run": question.run_id,
        "sum": question.number,
        "silo": silo,
        "question": question.question.hex(),
        "terms": enclave.terms.hex(),
    }


def _signed_bytes(enclave: EnclaveAddress, question: SumQuestion, silo: str, body: bytes) -> bytes:
    of = (question.run_id, question.number, question.question, question.length)
    scale = (question.fraction_bits, question.largest)
    digest = hashlib.sha256(body).digest()
    return canonical_bytes(
        "mixroom/attested-sum/v1/update", enclave.terms, enclave.sealing_key, *of, *scale, silo, digest
    )


def _not_for_this_sum(silo: str) -> MalformedMessage:
    return MalformedMessage(
        f"what {silo} sent was not sealed and signed by it for this enclave and sum; it was not used",
        silos=(silo,),
        hint="check that silo's client; it must have attested the enclave that now runs",
    )
