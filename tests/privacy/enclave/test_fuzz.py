"""Whatever bytes arrive, the parsers and the verifier refuse with their one error, or read what was written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.enclave.attestation_document import AttestationDocument
from privacy.enclave.attestation_verifier import verify_attestation, verify_kept_attestation
from privacy.enclave.cose_sign1 import parse_sign1
from privacy.enclave.measurement import Measurement
from privacy.enclave.strict_cbor import CborRefused, decode, encode
from privacy.errors import AttestationRefused
from tests.privacy.enclave.forgery import NONCE, NOW, Chain, Holder, require_the_one_text

LEAVES = (
    st.none()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=80)
    | st.text(st.characters(codec="utf-8"), max_size=20)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 40) | st.text(max_size=5), inner)
    ),
    max_leaves=12,
)
OTHER_VALUES = (
    st.floats()
    | st.booleans()
    | st.builds(lambda tag, value: cbor2.CBORTag(tag, value), st.integers(0, 99), LEAVES)
)
REGISTERS = st.dictionaries(
    st.integers(1, 31), st.sampled_from([32, 48, 64]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
)
DOCUMENTS = st.builds(
    AttestationDocument,
    module_id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    timestamp=st.integers(1, 253_402_300_799_999),
    pcrs=REGISTERS.map(lambda pcrs: pcrs | {0: b"\x10" * 48}),
    certificate=st.binary(min_size=1, max_size=200),
    cabundle=st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=4).map(tuple),
    public_key=st.none() | st.binary(min_size=1, max_size=100),
    user_data=st.none() | st.binary(max_size=100),
    nonce=st.none() | st.binary(max_size=100),
)


def refused(chain: Chain, document: bytes) -> bool:
    """By both verifiers, in the one text."""
    for verify in (
        lambda: verify_attestation(document, chain.policy, nonce=NONCE, now=NOW),
        lambda: verify_kept_attestation(document, chain.policy),
    ):
        try:
            verify()
        except AttestationRefused as refusal:
            require_the_one_text(refusal)
        else:
            return False
    return True


@given(VALUES)
def test_a_value_is_read_as_it_was_written(value: Any) -> None:
    with suppress(CborRefused):  # too many levels
        assert decode(encode(value), most_bytes=10_000) == value


@given(st.binary(max_size=200))
def test_what_is_read_has_one_spelling(content: bytes) -> None:
    with suppress(CborRefused):
        assert encode(decode(content, most_bytes=200)) == content


@given(DOCUMENTS)
def test_a_document_is_read_as_it_was_written(document: AttestationDocument) -> None:
    assert AttestationDocument.of(document.to_cbor()) == document
    assert Measurement(document.pcrs) == document.measurement


@given(st.binary(max_size=300))
def test_no_bytes_pass_for_a_document(chain: Chain, content: bytes) -> None:
    assert refused(chain, content)


@given(VALUES | OTHER_VALUES)
def test_no_signed_value_but_a_document_passes_for_one(chain: Chain, value: Any) -> None:
    assert refused(chain, chain.signed(cbor2.dumps(value)))


@given(
    st.sampled_from(["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle", "nonce"]),
    VALUES | OTHER_VALUES,
)
def test_no_other_field_is_taken_for_the_right_one(chain: Chain, field: str, value: Any) -> None:
    document = chain.document(**{field: value})
    if type(value) is str and field == "module_id" and 1 <= len(value) <= 256:
        return  # any text will do

    with pytest.raises(AttestationRefused) as refusal:
        verify_attestation(document, chain.policy, nonce=NONCE, now=NOW)
    require_the_one_text(refusal.value)


@given(st.lists(VALUES | OTHER_VALUES, max_size=5))
def test_no_other_envelope_is_taken_for_one(chain: Chain, parts: list[Any]) -> None:
    assert refused(chain, cbor2.dumps(parts))


@given(st.data())
def test_a_spliced_document_is_refused(chain: Chain, data: st.DataObject) -> None:
    sound = chain.document()
    start = data.draw(st.integers(0, len(sound)))
    end = data.draw(st.integers(start, min(len(sound), start + 8)))
    changed = sound[:start] + data.draw(st.binary(max_size=8)) + sound[end:]
    if changed == sound or changed == b"\xd2" + sound:
        return

    assert refused(chain, changed)


@given(st.sampled_from(["leaf", "host"]), st.data())
def test_a_spliced_certificate_is_refused_under_a_fresh_signature(
    chain: Chain, part: str, data: st.DataObject
) -> None:
    holder = chain.leaf if part == "leaf" else chain.hosts[0]
    sound = holder.certificate
    start = data.draw(st.integers(0, len(sound)))
    end = data.draw(st.integers(start, min(len(sound), start + 8)))
    changed = sound[:start] + data.draw(st.binary(min_size=1, max_size=8)) + sound[end:]
    if changed == sound:
        return
    spliced = Holder(holder.key, changed, holder.name)
    altered = replace(chain, leaf=spliced) if part == "leaf" else replace(chain, hosts=(spliced,))

    assert refused(altered, altered.document())


@given(st.binary(max_size=300))
def test_an_envelope_is_read_or_refused(content: bytes) -> None:
    with suppress(AttestationRefused):
        parsed = parse_sign1(content)
        assert parsed.payload in content
