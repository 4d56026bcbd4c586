"""The document's fields, in AWS's names, order and types."""

from __future__ import annotations

from datetime import UTC, datetime

import cbor2
import pytest

from privacy.enclave.attestation_document import AttestationDocument
from privacy.errors import AttestationRefused, InvalidSetting
from tests.privacy.enclave.forgery import NONCE, NOW, PCRS, PUBLIC_KEY, USER_DATA, Chain, require_the_one_text


def document(chain: Chain, **changed: object) -> AttestationDocument:
    fields = chain.fields()
    fields["cabundle"] = tuple(fields["cabundle"])
    return AttestationDocument(**fields | changed)


def test_it_is_written_as_aws_writes_it(chain: Chain) -> None:
    assert document(chain).to_cbor() == cbor2.dumps(chain.fields())


def test_it_is_read_as_it_was_written(chain: Chain) -> None:
    read = AttestationDocument.of(cbor2.dumps(chain.fields()))

    assert read == document(chain)
    assert (read.public_key, read.user_data, read.nonce) == (PUBLIC_KEY, USER_DATA, NONCE)
    assert dict(read.pcrs) == dict(read.measurement.pcrs) == PCRS
    assert read.issued == NOW


@pytest.mark.parametrize("field", ["public_key", "user_data", "nonce"])
def test_an_optional_field_may_be_missing_or_null(chain: Chain, field: str) -> None:
    without = {name: value for name, value in chain.fields().items() if name != field}
    null = chain.fields() | {field: None}

    assert AttestationDocument.of(cbor2.dumps(without)) == AttestationDocument.of(cbor2.dumps(null))
    assert getattr(AttestationDocument.of(cbor2.dumps(null)), field) is None


@pytest.mark.parametrize(
    "field, longest",
    [("public_key", 1024), ("user_data", 512), ("nonce", 512), ("certificate", 1024)],  # AWS, section 3.2.2.2
)
def test_a_field_is_as_long_as_aws_allows_and_no_longer(chain: Chain, field: str, longest: int) -> None:
    assert len(getattr(document(chain, **{field: bytes(longest)}), field)) == longest
    with pytest.raises(InvalidSetting):
        document(chain, **{field: bytes(longest + 1)})
    with pytest.raises(AttestationRefused) as refusal:
        AttestationDocument.of(cbor2.dumps(chain.fields() | {field: bytes(longest + 1)}))
    require_the_one_text(refusal.value)


def test_milliseconds_are_kept(chain: Chain) -> None:
    read = document(chain, timestamp=1_770_919_762_724)

    assert read.issued == datetime(2026, 2, 12, 18, 9, 22, 724_000, tzinfo=UTC)


def test_all_32_registers_of_each_length_are_read(chain: Chain) -> None:
    pcrs = {number: bytes([number + 1]) * (32, 48, 64)[number % 3] for number in range(32)}

    assert dict(AttestationDocument.of(cbor2.dumps(chain.fields() | {"pcrs": pcrs})).pcrs) == pcrs


def test_registers_are_written_in_order(chain: Chain) -> None:
    backwards = document(chain, pcrs=dict(reversed(PCRS.items())))

    assert backwards.to_cbor() == document(chain).to_cbor()
