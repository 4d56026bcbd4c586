"""The adapter for Nitro: it reads the device's answers, and says what is missing."""

from __future__ import annotations

import cbor2
import pytest

from privacy.enclave.measurement import Measurement
from privacy.enclave.nitro_backend import HOST_DEVICE, MOST_ANSWER_BYTES, NitroBackend, document_of
from privacy.errors import AttestationRefused, EnclaveUnavailable


def test_document_is_read_out_of_the_devices_answer() -> None:
    """In the shape of aws-nitro-enclaves-nsm-api's Response::Attestation."""
    assert document_of(cbor2.dumps({"Attestation": {"document": b"signed"}})) == b"signed"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        cbor2.dumps({"Error": "InvalidArgument"}),
        cbor2.dumps({"Attestation": {"document": "text"}}),
        cbor2.dumps({"Attestation": {"document": b"x", "more": 1}}),
        cbor2.dumps({"Attestation": {"document": b"x"}, "Error": "InternalError"}),
        cbor2.dumps({"Attestation": {"document": b"x"}}) + b"\0",
        cbor2.dumps({"Attestation": {"document": bytes(MOST_ANSWER_BYTES)}}),
    ],
)
def test_any_other_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(AttestationRefused):
        document_of(answer)


def test_machine_without_the_hardware_is_told_so() -> None:
    if HOST_DEVICE.exists():
        pytest.skip("this machine can run Nitro enclaves")
    backend = NitroBackend(Measurement.debug(), b"root")

    with pytest.raises(EnclaveUnavailable, match="nitro_enclaves") as refused:
        backend.start()

    assert "EC2" in refused.value.hint
