"""The program in the sum enclave: `privacy.attested_sums.sum_terms` says what it promises, `enclave_run` keeps it.

Its imports are measured and mounted, so they are few: no torch, no Flower.
"""

from typing import Any

from privacy.enclave.inside import InsideEnclave
from privacy.errors import PrivacyError
from privacy.flat_messages import decode_message, encode_message
from server.enclave_messages import TO_ENCLAVE, Refused
from server.enclave_run import EnclaveRun

SEALING_KEY_BYTES = 32


def serve(enclave: InsideEnclave) -> None:
    """Answer messages until the host ends the conversation, which ends the process."""
    run = EnclaveRun(enclave.public_key[:SEALING_KEY_BYTES], enclave.unseal, enclave.attest)
    while True:
        content, _ = enclave.receive()
        enclave.send(encode_message(_answer(run, content)))


def _answer(run: EnclaveRun, content: bytes) -> Any:
    try:
        return run.answer(decode_message(content, TO_ENCLAVE))
    except PrivacyError as error:
        return Refused.of(error)


if __name__ == "__main__":
    serve(InsideEnclave.enter())
