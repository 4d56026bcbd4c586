"""Files and keys that only the right key opens: AES-256-GCM in frames, and HPKE for one recipient.

Sealed stream: 8 bytes "mixseal1", 32 bytes random salt, then frames of 256 KiB plaintext plus a 16-byte tag.
Each file has its own key, HKDF-SHA256(key, salt, context), so the nonces need no randomness: 11 bytes frame number
and one byte that is 1 for the last frame only (STREAM: Hoang, Reyhanitabar, Rogaway, Vizar, CRYPTO 2015).
A frame moved, repeated, dropped or taken from another file, and a file cut at a frame's border, do not open.
Sealed message: HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, context as `info`.

Guarantee: without the key nothing but the length shows; with it, nothing but what was sealed under this context opens.
Not covered: who sealed it. Anyone with the key, or the recipient's public key, can seal; sign a digest for that.
"""

import io
import mmap
import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from privacy.canonical_json import canonical_json
from privacy.errors import IdentityUnusable, InvalidSetting, SealBroken

KEY_BYTES = 32
FRAME_BYTES = 256 * 1024
TAG_BYTES = 16
SEALED_FRAME_BYTES = FRAME_BYTES + TAG_BYTES
MAGIC = b"mixseal1"
SALT_BYTES = 32
HEADER_BYTES = len(MAGIC) + SALT_BYTES
WRAPPING = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def new_key() -> bytes:
    """32 bytes from the operating system's random source."""
    return os.urandom(KEY_BYTES)


def seal_message(content: bytes, recipient_public: bytes, context: Mapping[str, object]) -> bytes:
    """`content` of any length for the owner of the X25519 key; `PartyKeys.open_message` opens it in the same context.

    48 bytes longer than the content: its length shows. Raises IdentityUnusable for an unusable public key.
    """
    return _seal_to(recipient_public, content, message_info(context))


def message_info(context: Mapping[str, object]) -> bytes:
    """The `info` of HPKE: what the sealed message is for."""
    return b"mixroom sealed message 1\0" + canonical_json(context)


def derive_key(secret: bytes, info: bytes) -> bytes:
    """A 32-byte key of its own for each purpose `info`: HKDF-SHA256 (RFC 5869) without salt.

    `secret` must be as hard to guess as a key: no password. Neither it nor other derived keys follow from the result.
    Raises InvalidSetting for a secret shorter than 32 bytes.
    """
    if len(secret) < KEY_BYTES:
        raise InvalidSetting(
            f"a secret to derive keys from has at least {KEY_BYTES} bytes, not {len(secret)}",
            hint="use new_key()",
        )
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=info).derive(secret)


def seal_bytes(key: bytes, plaintext: bytes, context: Mapping[str, object]) -> bytes:
    """A sealed stream in memory; `open_bytes` with the same key and context opens it."""
    file = io.BytesIO()
    with SealingWriter(file, key, context) as writer:
        writer.write(plaintext)
    return file.getvalue()


def open_bytes(key: bytes, sealed: bytes, context: Mapping[str, object]) -> bytes:
    """What `seal_bytes` sealed under this key and context. Raises SealBroken."""
    return bytes(open_sealed(io.BytesIO(sealed), key, context))


class SealingWriter:
    """A file to write to; what is written reaches `file` sealed. Not thread-safe; `file` is not closed.

    Only `close` writes the last frame. A writer that is abandoned, or left through an exception, leaves a stream
    that never opens, so half a table cannot pass for a whole one; for this reason it is no `io` class, which would
    close itself when garbage is collected.
    """

    def __init__(self, file: BinaryIO, key: bytes, context: Mapping[str, object]) -> None:
        salt = os.urandom(SALT_BYTES)
        self._cipher = _stream_cipher(key, salt, context)
        self._file = file
        self._pending = bytearray()
        self._sealed = bytearray(SEALED_FRAME_BYTES)
        self._frames = 0
        self._written = 0
        self.closed = False
        file.write(MAGIC + salt)

    def write(self, content: bytes | bytearray | memoryview) -> int:
        """Take all of `content`; returns its length in bytes. Raises ValueError after `close` or `abandon`."""
        if self.closed:
            raise ValueError("the sealed stream is closed")
        view = memoryview(content).cast("B")
        position = 0
        # A full frame waits until more comes: only then is it known not to be the last.
        while len(self._pending) + len(view) - position > FRAME_BYTES:
            taken = FRAME_BYTES - len(self._pending)
            if self._pending:
                self._pending += view[position : position + taken]
                self._seal(self._pending, is_last=False)
                self._pending = bytearray()
            else:
                self._seal(view[position : position + taken], is_last=False)
            position += taken
        self._pending += view[position:]
        self._written += len(view)
        return len(view)

    def close(self) -> None:
        """Seal what is left as the last frame; further calls do nothing."""
        if not self.closed:
            self.closed = True
            self._seal(self._pending, is_last=True)
            self._pending = bytearray()

    def abandon(self) -> None:
        """End without a last frame: what was written so far never opens."""
        self.closed = True
        self._pending = bytearray()

    def tell(self) -> int:
        """Plaintext bytes taken so far."""
        return self._written

    def flush(self) -> None:
        """Nothing: a frame is written when it is full."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def __enter__(self) -> "SealingWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _seal(self, frame: bytearray | memoryview, *, is_last: bool) -> None:
        length = len(frame) + TAG_BYTES
        with memoryview(self._sealed) as buffer:
            self._cipher.encrypt_into(_nonce(self._frames, is_last=is_last), frame, None, buffer[:length])
            self._file.write(buffer[:length])
        self._frames += 1


def open_sealed(file: BinaryIO, key: bytes, context: Mapping[str, object]) -> memoryview:
    """The whole content, from the file's position to its end; nothing is returned unless all of it is genuine.

    `file` must be seekable. Memory: the content once, and one frame. Raises SealBroken.
    """
    start = file.tell()
    sealed_bytes = file.seek(0, io.SEEK_END) - start - HEADER_BYTES
    file.seek(start)
    frames = max(1, -(-sealed_bytes // SEALED_FRAME_BYTES))
    cipher = _read_header(file, key, context)
    content = _fresh_memory(max(0, sealed_bytes - frames * TAG_BYTES))
    position = 0
    for number in range(frames):
        frame = _read(file, SEALED_FRAME_BYTES)
        is_last = number == frames - 1
        _require_frame(frame, number, is_last=is_last)
        end = position + len(frame) - TAG_BYTES
        _open_into(cipher, _nonce(number, is_last=is_last), frame, content[position:end])
        position = end
    if position != len(content) or file.read(1):  # the file changed while it was read
        raise seal_broken()
    return content


def iter_sealed(file: BinaryIO, key: bytes, context: Mapping[str, object]) -> Iterator[bytes]:
    """The content frame by frame, each genuine and in order; needs no seeking and two frames of memory.

    That the stream is whole is known only at its end: act on nothing before the iterator has ended without
    SealBroken.
    """
    cipher = _read_header(file, key, context)
    frame, number = _read(file, SEALED_FRAME_BYTES), 0
    while True:
        following = _read(file, SEALED_FRAME_BYTES) if len(frame) == SEALED_FRAME_BYTES else b""
        is_last = not following
        _require_frame(frame, number, is_last=is_last)
        plain = bytearray(len(frame) - TAG_BYTES)
        _open_into(cipher, _nonce(number, is_last=is_last), frame, plain)
        yield bytes(plain)
        if is_last:
            return
        frame, number = following, number + 1


def seal_broken() -> SealBroken:
    """The one refusal of whatever does not open."""
    return SealBroken(
        "the sealed data do not open: another key, another context, or changed since they were sealed",
        hint="fetch them again, and check that the key and the dataset are the ones they were sealed for",
    )


def _seal_to(recipient_public: bytes, content: bytes, info: bytes) -> bytes:
    try:
        return WRAPPING.encrypt(content, X25519PublicKey.from_public_bytes(recipient_public), info)
    except (ValueError, TypeError) as error:  # wrong length, or a point of small order
        raise IdentityUnusable(
            "the recipient's public sealing key cannot be used; nothing was sealed",
            hint="ask the recipient for its public keys again",
        ) from error


def _require_key(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise InvalidSetting(f"a sealing key has {KEY_BYTES} bytes, not {len(key)}", hint="use new_key()")


def _stream_cipher(key: bytes, salt: bytes, context: Mapping[str, object]) -> AESGCM:
    _require_key(key)
    info = b"mixroom sealed stream 1\0" + canonical_json(context)
    return AESGCM(HKDF(hashes.SHA256(), KEY_BYTES, salt=salt, info=info).derive(key))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if is_last else b"\x00")


def _read_header(file: BinaryIO, key: bytes, context: Mapping[str, object]) -> AESGCM:
    header = _read(file, HEADER_BYTES)
    if len(header) != HEADER_BYTES or bytes(header[: len(MAGIC)]) != MAGIC:
        raise seal_broken()
    return _stream_cipher(key, bytes(header[len(MAGIC) :]), context)


def _fresh_memory(size: int) -> memoryview:
    """Writable bytes; many of them with all their pages at once, as fetching those one by one costs more than AES."""
    at_once = getattr(mmap, "MAP_POPULATE", 0)  # Linux
    if size <= FRAME_BYTES or not at_once:
        return memoryview(bytearray(size))
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | at_once))


def _read(file: BinaryIO, size: int) -> bytes:
    """`size` bytes, or what is left: sockets and pipes may hand over less at a time than was asked for."""
    content = file.read(size)
    while len(content) < size and (more := file.read(size - len(content))):
        content += more
    return content


def _require_frame(frame: bytes, number: int, *, is_last: bool) -> None:
    """Full unless last; empty only when it is the only one. So each content has one way to be framed."""
    shortest = SEALED_FRAME_BYTES if not is_last else TAG_BYTES + (number > 0)
    if len(frame) < shortest:
        raise seal_broken()


def _open_into(cipher: AESGCM, nonce: bytes, frame: bytes, plain: bytearray | memoryview) -> None:
    try:
        cipher.decrypt_into(nonce, frame, None, plain)
    except (InvalidTag, ValueError) as error:
        raise seal_broken() from error
