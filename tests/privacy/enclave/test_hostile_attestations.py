"""One test for each way to lie in an attestation document or its envelope: all are refused in the same words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import cbor2
import pytest

from privacy.enclave.attestation_verifier import AttestationPolicy, verify_kept_attestation
from privacy.enclave.certificate_chain import HARDWARE_ROOTS
from privacy.enclave.nonce_book import NonceBook
from privacy.errors import AttestationRefused, InvalidSetting
from tests.privacy.enclave.forgery import (
    NONCE,
    NOW,
    PCRS,
    PROTECTED,
    PUBLIC_KEY,
    SOUND_ROOT,
    USER_DATA,
    Chain,
    accepted,
    certify,
    new_key,
    require_refused,
    require_the_one_text,
    signature,
)

MILLISECOND = timedelta(milliseconds=1)


def test_a_sound_document_is_accepted_with_all_it_says(chain: Chain) -> None:
    attested = accepted(chain.document(), chain.policy)

    assert (attested.public_key, attested.user_data) == (PUBLIC_KEY, USER_DATA)
    assert dict(attested.measurement.pcrs) == PCRS
    assert attested.issued == NOW
    assert not attested.is_emulated


def test_the_tagged_form_is_accepted_too(chain: Chain) -> None:
    assert accepted(b"\xd2" + chain.document(), chain.policy) == accepted(chain.document(), chain.policy)


def test_nothing_is_accepted_without_a_root(chain: Chain) -> None:
    require_refused(chain.document(), replace(chain.policy, roots=()))


# --- freshness ---


def test_another_nonce_is_refused(chain: Chain) -> None:
    require_refused(chain.document(nonce=bytes(32)), chain.policy)


def test_the_beginning_of_the_nonce_is_refused(chain: Chain) -> None:
    require_refused(chain.document(nonce=NONCE[:-1]), chain.policy)


def test_a_document_without_nonce_is_refused(chain: Chain) -> None:
    require_refused(chain.document(nonce=None), chain.policy)


def test_a_reader_without_nonce_accepts_nothing(chain: Chain) -> None:
    require_refused(chain.document(nonce=b""), chain.policy, nonce=b"")


def test_a_replayed_document_is_refused_as_its_nonce_is_spent(chain: Chain) -> None:
    book = NonceBook()
    nonce = book.issue()
    document = chain.document(nonce=nonce)
    accepted(document, chain.policy, nonce=nonce)
    book.spend(nonce)

    with pytest.raises(AttestationRefused) as refusal:
        book.spend(nonce)
    require_the_one_text(refusal.value)


def test_a_document_replayed_to_another_request_is_refused(chain: Chain) -> None:
    book = NonceBook()
    old, new = book.issue(), book.issue()

    require_refused(chain.document(nonce=old), chain.policy, nonce=new)


def test_a_document_is_refused_a_millisecond_after_its_age_limit(chain: Chain) -> None:
    limit = timedelta(seconds=chain.policy.max_age_seconds)

    accepted(chain.document(), chain.policy, now=NOW + limit)
    require_refused(chain.document(), chain.policy, now=NOW + limit + MILLISECOND)


def test_a_document_from_the_future_is_refused(chain: Chain) -> None:
    clocks_apart = timedelta(seconds=60)

    accepted(chain.document(), chain.policy, now=NOW - clocks_apart)
    require_refused(chain.document(), chain.policy, now=NOW - clocks_apart - MILLISECOND)


@pytest.mark.parametrize("timestamp", [0, -1, 2**63, 2**64 - 1, 2**70, 1.0, True, None, "1"])
def test_a_time_that_is_none_is_refused(chain: Chain, timestamp: object) -> None:
    require_refused(chain.document(timestamp=timestamp), chain.policy)


# --- what runs ---


def test_debug_mode_is_refused_even_where_zeros_are_allowed(chain: Chain) -> None:
    allowed = replace(chain.policy, measurements=frozenset({bytes(48).hex()}))

    require_refused(chain.document(pcrs=dict.fromkeys(range(3), bytes(48))), allowed)


def test_debug_mode_is_refused_whatever_the_other_registers_hold(chain: Chain) -> None:
    allowed = replace(chain.policy, measurements=frozenset({bytes(48).hex()}))

    require_refused(chain.document(pcrs=PCRS | {0: bytes(48)}), allowed)


def test_other_code_is_refused(chain: Chain) -> None:
    require_refused(chain.document(pcrs=PCRS | {0: b"\x99" * 48}), chain.policy)


def test_allowed_code_in_another_register_is_refused(chain: Chain) -> None:
    require_refused(chain.document(pcrs={0: PCRS[1], 1: PCRS[0]}), chain.policy)


def test_a_document_without_the_code_register_is_refused(chain: Chain) -> None:
    require_refused(chain.document(pcrs={1: PCRS[0]}), chain.policy)


def test_a_shorter_register_that_begins_alike_is_refused(chain: Chain) -> None:
    require_refused(chain.document(pcrs={0: PCRS[0][:32]}), chain.policy)


def test_no_measurement_is_allowed_by_default(chain: Chain) -> None:
    require_refused(chain.document(), replace(chain.policy, measurements=frozenset()))


# --- whose word it is ---


def test_a_foreign_root_is_refused(chain: Chain) -> None:
    require_refused(Chain.sound().document(), chain.policy)


def test_the_pinned_roots_key_under_another_certificate_is_refused(chain: Chain) -> None:
    again = certify(SOUND_ROOT, key=chain.root.key)
    bundle = [again.certificate, chain.hosts[0].certificate]

    accepted(chain.document(cabundle=bundle), replace(chain.policy, roots=(again.certificate,)))
    require_refused(chain.document(cabundle=bundle), chain.policy)


def test_a_pinned_root_put_above_a_foreign_chain_is_refused(chain: Chain) -> None:
    foreign = Chain.sound()
    bundle = [chain.root.certificate, foreign.hosts[0].certificate]

    require_refused(foreign.document(cabundle=bundle), chain.policy)


@pytest.mark.parametrize("name", ["Mixroom emulated enclave root", "aws.nitro-enclaves"])
def test_an_emulated_root_is_refused_in_production_whatever_it_calls_itself(name: str) -> None:
    """Elsewhere it is accepted where it is pinned, and called emulated."""
    emulated = Chain.sound(root=replace(SOUND_ROOT, name=name))
    pinned = replace(emulated.policy, hardware_roots=HARDWARE_ROOTS)

    assert accepted(emulated.document(), pinned).is_emulated
    require_refused(emulated.document(), replace(pinned, production=True))


def test_hardware_behind_one_root_is_not_behind_another(chain: Chain) -> None:
    other = Chain.sound()
    both = replace(chain.policy, roots=(chain.root.certificate, other.root.certificate), production=True)

    assert not accepted(chain.document(), both).is_emulated
    require_refused(other.document(), both)


def test_root_of_hardware_is_not_trusted_unless_it_is_pinned(chain: Chain) -> None:
    require_refused(chain.document(), replace(chain.policy, roots=(Chain.sound().root.certificate,)))


def test_the_one_root_of_hardware_known_by_itself_is_awss() -> None:
    """As its user guide prints it."""
    printed = (
        "64:1A:03:21:A3:E2:44:EF:E4:56:46:31:95:D6:06:31:7E:D7:CD:CC:3C:17:56:E0:98:93:F3:C6:8F:79:BB:5B"
    )

    assert AttestationPolicy((), frozenset()).hardware_roots == {printed.replace(":", "").lower()}


@pytest.mark.parametrize(
    "named", ["", "aws.nitro-enclaves", "SHA256:" + "a" * 43, "A" * 64, "a" * 63, "a" * 65]
)
def test_roots_of_hardware_are_named_by_digests(named: str) -> None:
    with pytest.raises(InvalidSetting):
        AttestationPolicy((), frozenset(), hardware_roots=frozenset({named}))


def test_a_document_signed_by_another_key_is_refused(chain: Chain) -> None:
    payload = cbor2.dumps(chain.fields())
    forged = cbor2.dumps([PROTECTED, {}, payload, signature(payload, new_key())])

    require_refused(forged, chain.policy)


def test_a_document_signed_by_the_host_key_is_refused(chain: Chain) -> None:
    payload = cbor2.dumps(chain.fields())
    forged = cbor2.dumps([PROTECTED, {}, payload, signature(payload, chain.hosts[0].key)])

    require_refused(forged, chain.policy)


def test_a_signature_of_zeros_is_refused(chain: Chain) -> None:
    require_refused(cbor2.dumps([PROTECTED, {}, cbor2.dumps(chain.fields()), bytes(96)]), chain.policy)


def test_a_signature_over_other_fields_is_refused(chain: Chain) -> None:
    other = signature(cbor2.dumps(chain.fields() | {"nonce": bytes(32)}), chain.leaf.key)

    require_refused(cbor2.dumps([PROTECTED, {}, cbor2.dumps(chain.fields()), other]), chain.policy)


# --- the envelope ---


def test_trailing_bytes_are_refused(chain: Chain) -> None:
    require_refused(chain.document() + b"\0", chain.policy)


def test_trailing_bytes_behind_the_payload_are_refused(chain: Chain) -> None:
    require_refused(chain.signed(cbor2.dumps(chain.fields()) + b"\0"), chain.policy)


def test_a_cut_document_is_refused(chain: Chain) -> None:
    document = chain.document()

    for length in range(0, len(document), 37):
        require_refused(document[:length], chain.policy)


def test_content_in_the_unprotected_header_is_refused(chain: Chain) -> None:
    payload = cbor2.dumps(chain.fields())

    require_refused(chain.signed(payload, unprotected={4: b"key"}), chain.policy)


def test_a_detached_payload_is_refused(chain: Chain) -> None:
    payload = cbor2.dumps(chain.fields())

    require_refused(cbor2.dumps([PROTECTED, {}, None, signature(payload, chain.leaf.key)]), chain.policy)


@pytest.mark.parametrize(
    "protected",
    [
        b"",
        cbor2.dumps({}),
        cbor2.dumps({1: -7}),  # ES256
        cbor2.dumps({1: -36}),  # ES512
        cbor2.dumps({1: -35, 4: b"key"}),
        cbor2.dumps({1: -35, 2: [99], 99: 1}),  # a critical header that nobody here knows
        bytes.fromhex("a101390022"),  # -35 in two bytes
    ],
)
def test_another_protected_header_is_refused(chain: Chain, protected: bytes) -> None:
    payload = cbor2.dumps(chain.fields())

    require_refused(cbor2.dumps([protected, {}, payload, signature(payload, chain.leaf.key)]), chain.policy)


def test_the_document_under_another_tag_is_refused(chain: Chain) -> None:
    require_refused(b"\xd1" + chain.document(), chain.policy)  # 17: COSE_Mac0


def test_the_tag_twice_is_refused(chain: Chain) -> None:
    require_refused(b"\xd2\xd2" + chain.document(), chain.policy)


def test_an_array_of_five_is_refused(chain: Chain) -> None:
    require_refused(cbor2.dumps([*cbor2.loads(chain.document()), b""]), chain.policy)


def test_an_envelope_without_its_length_is_refused(chain: Chain) -> None:
    document = chain.document()
    assert document[:1] == b"\x84"

    require_refused(b"\x9f" + document[1:] + b"\xff", chain.policy)


def test_an_envelope_with_a_longer_spelling_is_refused(chain: Chain) -> None:
    require_refused(b"\x98\x04" + chain.document()[1:], chain.policy)


def test_a_payload_in_pieces_is_refused(chain: Chain) -> None:
    payload = cbor2.dumps(chain.fields())
    pieces = b"\x5f" + cbor2.dumps(payload[:100]) + cbor2.dumps(payload[100:]) + b"\xff"
    parts = [cbor2.dumps(PROTECTED), b"\xa0", pieces, cbor2.dumps(signature(payload, chain.leaf.key))]

    require_refused(b"\x84" + b"".join(parts), chain.policy)


def test_huge_nesting_is_refused(chain: Chain) -> None:
    for levels in (5, 16_000, 1_000_000):
        require_refused(b"\x81" * levels + b"\x00", chain.policy)
        require_refused(chain.signed((b"\x81" * levels + b"\x00")[-16_000:]), chain.policy)


def test_promises_of_more_than_there_is_are_refused(chain: Chain) -> None:
    for head in (b"\x9b", b"\x5b", b"\xbb", b"\x7b"):
        require_refused(head + b"\x7f" + b"\xff" * 7, chain.policy)
        require_refused(head + b"\xff" * 8, chain.policy)


def test_a_number_of_a_gigabyte_is_refused_before_it_is_made(chain: Chain) -> None:
    bigfloat = bytes.fromhex("c5821b0000000400000000") + b"\x01"  # tag 5: 1 * 2**(2**34)

    require_refused(bigfloat, chain.policy)
    require_refused(chain.signed(bigfloat), chain.policy)


def test_a_document_longer_than_any_is_refused(chain: Chain) -> None:
    require_refused(chain.document(cabundle=[bytes(1024)] * 20), chain.policy)


# --- the fields ---


def test_a_key_twice_is_refused(chain: Chain) -> None:
    fields = cbor2.dumps(chain.fields())
    twice = b"\xaa" + fields[1:] + cbor2.dumps("nonce") + cbor2.dumps(NONCE)

    require_refused(chain.signed(twice), chain.policy)


def test_a_register_twice_is_refused(chain: Chain) -> None:
    fields = list(chain.fields().items())
    pcrs = b"\xa2" + (cbor2.dumps(0) + cbor2.dumps(PCRS[0])) * 2
    payload = b"\xa9" + b"".join(
        cbor2.dumps(name) + (pcrs if name == "pcrs" else cbor2.dumps(value)) for name, value in fields
    )

    require_refused(chain.signed(payload), chain.policy)


def test_a_map_with_a_stop_code_is_accepted_as_aws_writes_it(chain: Chain) -> None:
    fields = cbor2.dumps(chain.fields())

    assert accepted(chain.signed(b"\xbf" + fields[1:] + b"\xff"), chain.policy).user_data == USER_DATA


def test_other_indefinite_lengths_are_refused(chain: Chain) -> None:
    fields = chain.fields()
    pcrs = cbor2.dumps(fields["pcrs"])
    bundle = cbor2.dumps(fields["cabundle"])
    whole = cbor2.dumps(fields)
    for part, spelt in (
        (pcrs, b"\xbf" + pcrs[1:] + b"\xff"),
        (bundle, b"\x9f" + bundle[1:] + b"\xff"),
        (cbor2.dumps(NONCE), b"\x5f" + cbor2.dumps(NONCE) + b"\xff"),
        (cbor2.dumps("nonce"), b"\x7f" + cbor2.dumps("nonce") + b"\xff"),
    ):
        assert part in whole
        changed = whole.replace(part, spelt)
        require_refused(chain.signed(changed), chain.policy)
        require_refused(chain.signed(b"\xbf" + changed[1:] + b"\xff"), chain.policy)


def test_a_missing_stop_code_is_refused(chain: Chain) -> None:
    require_refused(chain.signed(b"\xbf" + cbor2.dumps(chain.fields())[1:]), chain.policy)


@pytest.mark.parametrize("field", ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"])
def test_a_required_field_is_missed(chain: Chain, field: str) -> None:
    fields = chain.fields()
    del fields[field]

    require_refused(chain.signed(cbor2.dumps(fields)), chain.policy)
    require_refused(chain.document(**{field: None}), chain.policy)


def test_a_field_that_aws_does_not_know_is_refused(chain: Chain) -> None:
    require_refused(chain.document(measurement="good"), chain.policy)


@pytest.mark.parametrize(
    "field, value",
    [
        ("module_id", ""),
        ("module_id", b"i-0"),
        ("module_id", "m" * 257),
        ("digest", "SHA256"),
        ("digest", b"SHA384"),
        ("pcrs", {}),
        ("pcrs", [PCRS[0]]),
        ("pcrs", PCRS | {32: PCRS[0]}),
        ("pcrs", PCRS | {-1: PCRS[0]}),
        ("pcrs", PCRS | {"3": PCRS[0]}),
        ("pcrs", PCRS | {3: b"short"}),
        ("pcrs", PCRS | {3: "m" * 48}),
        ("pcrs", {False: PCRS[0]}),
        ("pcrs", {0.0: PCRS[0]}),
        ("certificate", b""),
        ("certificate", b"no certificate"),
        ("certificate", bytes(1025)),
        ("cabundle", []),
        ("cabundle", {}),
        ("cabundle", [b""]),
        ("cabundle", b"bundle"),
        ("public_key", b""),
        ("public_key", bytes(1025)),
        ("public_key", "k" * 64),
        ("user_data", bytes(513)),
        ("user_data", "u" * 32),
        ("nonce", bytes(513)),
        ("nonce", [NONCE]),
    ],
)
def test_a_field_of_another_type_or_length_is_refused(chain: Chain, field: str, value: object) -> None:
    require_refused(chain.document(**{field: value}), chain.policy)


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xf6", b"\x80", b"\xa0", b"{}", b"\xff", b"\xd2"])
def test_what_is_no_document_at_all_is_refused(chain: Chain, content: bytes) -> None:
    require_refused(content, chain.policy)
    require_refused(chain.signed(content), chain.policy)


# --- documents kept with releases ---


def test_a_kept_document_proves_the_same_years_later(chain: Chain) -> None:
    assert verify_kept_attestation(chain.document(), chain.policy) == accepted(chain.document(), chain.policy)


def test_a_kept_document_tells_which_program_it_was_of_and_leaves_judging_it_to_the_reader(
    chain: Chain,
) -> None:
    other = chain.document(pcrs={0: b"\x99" * 48})

    assert verify_kept_attestation(other, chain.policy).measurement.code == "99" * 48


@pytest.mark.parametrize(
    "case", ["debug", "foreign root", "forged", "outside its certificates", "production"]
)
def test_a_kept_document_is_refused_for_what_does_not_age(chain: Chain, case: str) -> None:
    policy = chain.policy
    match case:
        case "debug":
            document = chain.document(pcrs={0: bytes(48)})
        case "foreign root":
            document = Chain.sound().document()
        case "forged":
            payload = cbor2.dumps(chain.fields())
            document = cbor2.dumps([PROTECTED, {}, payload, signature(payload, new_key())])
        case "outside its certificates":
            later = NOW + timedelta(hours=1, seconds=1)
            document = chain.document(timestamp=int(later.timestamp() * 1000))
        case _:
            policy = replace(policy, production=True, hardware_roots=HARDWARE_ROOTS)
            document = chain.document()

    with pytest.raises(AttestationRefused) as refusal:
        verify_kept_attestation(document, policy)
    require_the_one_text(refusal.value)
