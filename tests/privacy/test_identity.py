"""Signing keys stay private, signatures bind, and only pinned keys are trusted."""

import base64
import hashlib
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from privacy.errors import IdentityUnusable, InvalidSetting, UntrustedPeer
from privacy.identity import PinnedPeers, SiloIdentity, fingerprint, verify

# RFC 8032, section 7.1, test 2
RFC_PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
RFC_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_the_published_signature_verifies_and_no_altered_one_does():
    assert verify(RFC_PUBLIC, b"\x72", RFC_SIGNATURE)
    assert not verify(RFC_PUBLIC, b"\x73", RFC_SIGNATURE)
    assert not verify(RFC_PUBLIC, b"\x72", RFC_SIGNATURE[:-1] + b"\x01")
    assert not verify(RFC_PUBLIC, b"\x72", b"")
    assert not verify(b"short", b"\x72", RFC_SIGNATURE)


def test_a_saved_key_is_for_its_owner_only_and_loads_again(tmp_path):
    identity = SiloIdentity.generate("north")
    path = tmp_path / "north.key"
    identity.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = SiloIdentity.load("north", path)
    assert loaded.public_key == identity.public_key
    assert verify(identity.public_key, b"hello", loaded.sign(b"hello"))


def test_a_key_file_is_never_overwritten(tmp_path):
    path = tmp_path / "north.key"
    SiloIdentity.generate("north").save(path)
    before = path.read_bytes()
    with pytest.raises(IdentityUnusable, match="nothing was changed"):
        SiloIdentity.generate("north").save(path)
    assert path.read_bytes() == before


def test_a_key_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "north.key"
    SiloIdentity.generate("north").save(path)
    path.chmod(0o640)
    with pytest.raises(IdentityUnusable, match="other users") as refused:
        SiloIdentity.load("north", path)
    assert "chmod 600" in refused.value.hint


@pytest.mark.parametrize("content", [None, b"", b"not a key", "x25519"])
def test_a_missing_broken_or_foreign_key_is_refused(tmp_path, content):
    path = tmp_path / "north.key"
    if content == "x25519":
        content = X25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    if content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)
    with pytest.raises(IdentityUnusable):
        SiloIdentity.load("north", path)


def test_printing_an_identity_shows_no_key():
    assert repr(SiloIdentity.generate("north")) == "SiloIdentity(silo='north')"


def test_a_fingerprint_is_the_hash_of_the_raw_key():
    expected = base64.b64encode(hashlib.sha256(RFC_PUBLIC).digest()).decode().rstrip("=")
    assert fingerprint(RFC_PUBLIC) == "SHA256:" + expected


@pytest.mark.parametrize("name", ["", " north", "no\nrth", "no\x7frth", "n" * 129])
def test_a_name_that_could_be_misread_is_refused(name):
    with pytest.raises(InvalidSetting):
        SiloIdentity.generate(name)


def test_pinned_peers_survive_their_file_whatever_their_names(tmp_path):
    names = ["north", "Süd & Ost", 'the "best" silo', "back\\slash", "a.b = c", "\U0001f3ea store"]
    peers = PinnedPeers({name: SiloIdentity.generate(name).public_key for name in names})
    peers.save(tmp_path / "peers.toml")
    assert dict(PinnedPeers.load(tmp_path / "peers.toml").keys) == dict(peers.keys)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[peers",
        "peers = 3",
        "[peers]\nnorth = 3",
        '[peers]\nnorth = "not base64!"',
        '[peers]\nnorth = "AAAA"',
        f'[peers]\nnorth = "{base64.b64encode(RFC_PUBLIC).decode()}"\n'
        f'south = "{base64.b64encode(RFC_PUBLIC).decode()}"',
    ],
)
def test_a_file_that_pins_nothing_clear_is_refused(tmp_path, content):
    path = tmp_path / "peers.toml"
    path.write_text(content)
    with pytest.raises(IdentityUnusable) as refused:
        PinnedPeers.load(path)
    assert refused.value.hint


def test_only_the_pinned_key_can_speak_for_a_silo():
    north, impostor = SiloIdentity.generate("north"), SiloIdentity.generate("north")
    peers = PinnedPeers({"north": north.public_key})
    peers.require_signed("north", b"message", north.sign(b"message"))
    with pytest.raises(UntrustedPeer, match="not signed by the key pinned"):
        peers.require_signed("north", b"message", impostor.sign(b"message"))
    with pytest.raises(UntrustedPeer, match="no key is pinned for south"):
        peers.require_signed("south", b"message", north.sign(b"message"))
