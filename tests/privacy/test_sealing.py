"""What was sealed opens with its key and context only, whole and unchanged, or not at all."""

import hmac
import io
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from privacy.canonical_json import canonical_json
from privacy.errors import IdentityUnusable, InvalidSetting, SealBroken
from privacy.party_keys import PartyKeys
from privacy.sealing import (
    SealingWriter,
    derive_key,
    iter_sealed,
    new_key,
    open_bytes,
    open_sealed,
    seal_bytes,
    seal_message,
)
from tests.privacy import hpke_by_hand

KEY = bytes(range(32))
CONTEXT = {"purpose": "dataset", "version": "ver-1"}
FRAME = 256 * 1024
HEADER, TAG = 40, 16
REFUSAL = "the sealed data do not open: another key, another context, or changed since they were sealed"


def refused(sealed: bytes, key: bytes = KEY, context: dict = CONTEXT) -> None:
    """Both ways of opening refuse, in the same words."""
    with pytest.raises(SealBroken) as whole:
        open_sealed(io.BytesIO(sealed), key, context)
    with pytest.raises(SealBroken) as streamed:
        list(iter_sealed(io.BytesIO(sealed), key, context))
    assert str(whole.value) == str(streamed.value) == REFUSAL


@pytest.mark.parametrize("length", [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME + 5])
def test_every_length_opens_again_and_costs_a_header_and_one_tag_a_frame(length):
    content = os.urandom(length)
    sealed = seal_bytes(KEY, content, CONTEXT)
    frames = max(1, -(-length // FRAME))
    assert len(sealed) == HEADER + length + TAG * frames
    assert open_bytes(KEY, sealed, CONTEXT) == content
    assert b"".join(iter_sealed(io.BytesIO(sealed), KEY, CONTEXT)) == content


@given(st.lists(st.integers(0, 3 * FRAME), max_size=6))
def test_how_it_was_cut_into_writes_does_not_show(lengths):
    content = os.urandom(sum(lengths))
    file, position = io.BytesIO(), 0
    with SealingWriter(file, KEY, CONTEXT) as writer:
        for length in lengths:
            assert writer.write(content[position : position + length]) == length
            position += length
            assert writer.tell() == position
    assert len(file.getvalue()) == len(seal_bytes(KEY, content, CONTEXT))
    assert open_sealed(io.BytesIO(file.getvalue()), KEY, CONTEXT) == content


def test_the_format_is_the_documented_one():
    """Opened by hand, from the module's docstring alone."""
    content = os.urandom(FRAME + 10)
    sealed = seal_bytes(KEY, content, CONTEXT)
    assert sealed[:8] == b"mixseal1"
    info = b"mixroom sealed stream 1\0" + canonical_json(CONTEXT)
    cipher = AESGCM(HKDF(hashes.SHA256(), 32, salt=sealed[8:40], info=info).derive(KEY))
    first, last = sealed[40 : 40 + FRAME + TAG], sealed[40 + FRAME + TAG :]
    opened = cipher.decrypt(bytes(12), first, None) + cipher.decrypt(bytes(10) + b"\x01\x01", last, None)
    assert opened == content


def test_one_content_sealed_twice_looks_different():
    one, two = (seal_bytes(KEY, bytes(1000), CONTEXT) for _ in range(2))
    assert one[8:40] != two[8:40]
    assert one[40:] != two[40:]


def test_every_flipped_bit_is_noticed():
    sealed = seal_bytes(KEY, b"a short table", CONTEXT)
    for bit in range(8 * len(sealed)):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        refused(bytes(flipped))


@given(st.data())
def test_a_bit_flipped_anywhere_in_many_frames_is_noticed(data):
    sealed = bytearray(LONG)
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    refused(bytes(sealed))


LONG = seal_bytes(KEY, os.urandom(3 * FRAME + 100), CONTEXT)


def frames_of(sealed: bytes) -> list[bytes]:
    step = FRAME + TAG
    return [sealed[start : start + step] for start in range(HEADER, len(sealed), step)]


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_a_stream_cut_at_a_frames_border_is_refused(frames):
    refused(LONG[: HEADER + frames * (FRAME + TAG)])


@pytest.mark.parametrize("cut", [0, 7, 39, 40, 41, 55, 56, 57, FRAME, len(LONG) - 1, len(LONG) - 100])
def test_a_stream_cut_elsewhere_is_refused(cut):
    refused(LONG[:cut])


def test_a_full_last_frame_that_was_dropped_is_noticed():
    sealed = seal_bytes(KEY, bytes(2 * FRAME), CONTEXT)
    refused(sealed[: HEADER + FRAME + TAG])


@pytest.mark.parametrize(
    "order", [(1, 0, 2, 3), (0, 2, 1, 3), (0, 1, 3), (0, 0, 1, 2, 3), (3,), (0, 1, 2, 3, 3)]
)
def test_frames_moved_dropped_or_repeated_are_refused(order):
    frames = frames_of(LONG)
    refused(LONG[:HEADER] + b"".join(frames[number] for number in order))


def test_frames_of_another_file_under_the_same_key_and_context_are_refused():
    other = seal_bytes(KEY, os.urandom(3 * FRAME + 100), CONTEXT)
    mine, theirs = frames_of(LONG), frames_of(other)
    refused(LONG[:HEADER] + b"".join([mine[0], theirs[1], *mine[2:]]))
    refused(other[:HEADER] + LONG[HEADER:])


@pytest.mark.parametrize("more", [b"\0", bytes(TAG), bytes(FRAME + TAG)])
def test_bytes_behind_the_end_are_refused(more):
    refused(LONG + more)
    refused(seal_bytes(KEY, b"", CONTEXT) + more)


@pytest.mark.parametrize(
    "context", [{}, CONTEXT | {"version": "ver-2"}, CONTEXT | {"more": 1}, {"purpose": "dataset"}]
)
def test_another_context_is_refused(context):
    refused(LONG, context=context)


def test_another_key_is_refused_in_the_words_of_a_changed_file():
    refused(LONG, key=new_key())


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(31), bytes(33)])
def test_a_key_of_another_length_is_never_used(key):
    with pytest.raises(InvalidSetting):
        seal_bytes(key, b"x", CONTEXT)


def test_a_stream_left_through_an_error_never_opens():
    file = io.BytesIO()
    with pytest.raises(RuntimeError), SealingWriter(file, KEY, CONTEXT) as writer:  # noqa: PT012
        writer.write(bytes(2 * FRAME))
        raise RuntimeError
    refused(file.getvalue())


def test_a_stream_that_was_forgotten_never_opens():
    file = io.BytesIO()
    writer = SealingWriter(file, KEY, CONTEXT)
    writer.write(bytes(2 * FRAME))
    del writer
    refused(file.getvalue())


def test_a_closed_stream_takes_no_more():
    file = io.BytesIO()
    writer = SealingWriter(file, KEY, CONTEXT)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"late")
    assert open_bytes(KEY, file.getvalue(), CONTEXT) == b""
    assert not file.closed


def test_opening_starts_at_the_files_position():
    file = io.BytesIO(b"prefix" + LONG)
    file.seek(6)
    assert bytes(open_sealed(file, KEY, CONTEXT)) == open_bytes(KEY, LONG, CONTEXT)


class Dribble(io.BytesIO):
    """Hands over a thousand bytes at a time, as a socket may."""

    def read(self, size=-1):
        return super().read(min(size, 1000))


def test_a_file_that_gives_little_at_a_time_opens_too():
    content = open_bytes(KEY, LONG, CONTEXT)
    assert b"".join(iter_sealed(Dribble(LONG), KEY, CONTEXT)) == content
    assert open_sealed(Dribble(LONG), KEY, CONTEXT) == content


class Growing(io.BytesIO):
    """Claims, when asked for its end, to be shorter than it is."""

    def seek(self, offset, whence=0):
        end = super().seek(offset, whence)
        return end - 1000 if whence == io.SEEK_END else end


def test_a_file_that_changes_while_it_is_read_is_refused():
    with pytest.raises(SealBroken):
        open_sealed(Growing(LONG), KEY, CONTEXT)


def test_a_parquet_file_is_written_through_and_read_back():
    table = pa.table({"n": list(range(300_000))})
    file = io.BytesIO()
    with SealingWriter(file, KEY, CONTEXT) as writer:
        pq.write_table(table, pa.PythonFile(writer, mode="w"), row_group_size=1 << 17)
    content = open_sealed(io.BytesIO(file.getvalue()), KEY, CONTEXT)
    assert pq.read_table(pa.BufferReader(content)).equals(table)


def test_a_parquet_file_that_failed_half_way_never_opens():
    table = pa.table({"n": list(range(300_000))})
    file = io.BytesIO()
    with pytest.raises(RuntimeError), SealingWriter(file, KEY, CONTEXT) as writer:  # noqa: PT012
        with pq.ParquetWriter(pa.PythonFile(writer, mode="w"), table.schema) as parquet:
            parquet.write_table(table)
        raise RuntimeError
    refused(file.getvalue())


# --- Messages and derived keys --------------------------------------------------------------------------------

PARTY = PartyKeys.generate("retailer")
MESSAGE = b"any length " * 100
SEALED_MESSAGE = seal_message(MESSAGE, PARTY.public.sealing, CONTEXT)


def test_the_oracle_gives_the_published_plaintext():
    """RFC 9180, appendix A.1.1: base mode, X25519, HKDF-SHA256, AES-128-GCM, sequence number 0."""
    recipient = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    )
    sealed = bytes.fromhex(
        "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9"
        "6d8770ac83d07bea87e13c512a"
    )
    info = b"Ode on a Grecian Urn"
    assert (
        hpke_by_hand.open_base(recipient, sealed, info, b"Count-0", aead=1)
        == b"Beauty is truth, truth beauty"
    )


@pytest.mark.parametrize("length", [0, 1, 32, 100_000])
def test_a_message_of_any_length_opens_again_and_is_48_bytes_longer(length):
    content = os.urandom(length)
    sealed = seal_message(content, PARTY.public.sealing, CONTEXT)
    assert len(sealed) == length + 48
    assert PARTY.open_message(sealed, CONTEXT) == content


def test_two_seals_of_one_message_have_nothing_in_common():
    again = seal_message(MESSAGE, PARTY.public.sealing, CONTEXT)
    assert again[:32] != SEALED_MESSAGE[:32]
    assert again[-16:] != SEALED_MESSAGE[-16:]


def test_a_message_opens_by_hpke_written_down_from_the_rfc():
    private = X25519PrivateKey.generate()
    sealed = seal_message(MESSAGE, private.public_key().public_bytes_raw(), CONTEXT)
    info = b"mixroom sealed message 1\0" + canonical_json(CONTEXT)
    assert hpke_by_hand.open_base(private, sealed, info, b"", aead=2) == MESSAGE


def test_a_flipped_bit_of_a_message_is_noticed_in_the_same_words():
    short = seal_message(b"short", PARTY.public.sealing, CONTEXT)
    for bit in range(8 * len(short)):
        flipped = bytearray(short)
        flipped[bit // 8] ^= 1 << bit % 8
        if bit == 255:  # X25519 ignores this bit of a point, but HPKE hashes the point as sent
            assert flipped[31] >> 7 != short[31] >> 7
        with pytest.raises(SealBroken) as broken:
            PARTY.open_message(bytes(flipped), CONTEXT)
        assert str(broken.value) == REFUSAL


@pytest.mark.parametrize("length", [0, 31, 32, 47, 48, len(SEALED_MESSAGE) - 1])
def test_a_cut_message_is_refused(length):
    with pytest.raises(SealBroken):
        PARTY.open_message(SEALED_MESSAGE[:length], CONTEXT)


def test_another_party_or_context_does_not_open_a_message():
    for keys, context in ((PartyKeys.generate("retailer"), CONTEXT), (PARTY, CONTEXT | {"version": "ver-2"})):
        with pytest.raises(SealBroken):
            keys.open_message(SEALED_MESSAGE, context)


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(32), bytes([1]) + bytes(31)])
def test_an_unusable_public_key_gets_no_message(public):
    """RFC 7748, section 6.1: the last two are points of small order."""
    with pytest.raises(IdentityUnusable, match="nothing was sealed"):
        seal_message(MESSAGE, public, CONTEXT)


def test_a_derived_key_is_hkdf_without_salt():
    """RFC 5869: without salt the extraction key is as many zeros as the hash has bytes."""
    extracted = hmac.digest(bytes(32), KEY, "sha256")
    assert derive_key(KEY, b"purpose") == hmac.digest(extracted, b"purpose\x01", "sha256")


def test_each_purpose_and_each_secret_has_its_own_key():
    keys = {derive_key(secret, info) for secret in (KEY, KEY + b"\0") for info in (b"", b"a", b"b")}
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}


@pytest.mark.parametrize("secret", [b"", b"password", bytes(31)])
def test_no_key_is_derived_from_what_could_be_guessed(secret):
    with pytest.raises(InvalidSetting, match="at least 32 bytes"):
        derive_key(secret, b"purpose")
