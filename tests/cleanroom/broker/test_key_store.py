"""Keys at rest: wrapped, for their owner's eyes only, rotated whole, destroyed for good."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cleanroom.broker.key_encryption import FileKeys, KeyEncryptionKeys
from cleanroom.broker.key_store import KeyStore
from cleanroom.datasets.key_commitment import key_commitment
from cleanroom.errors import Conflict, HomeUnusable, NotFound
from privacy.errors import SealBroken
from privacy.sealing import new_key
from tests.cleanroom.broker.broker_room import BrokerRoom, Uploaded

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
CONTEXT = {"purpose": "a test"}


class WrappingKeysContract:
    """What every implementation of `KeyEncryptionKeys` keeps; a hardware module's tests inherit it."""

    def wrapping_keys(self, folder: Path) -> KeyEncryptionKeys:
        raise NotImplementedError

    def test_what_a_key_wrapped_opens_in_the_same_context_only(self, tmp_path: Path) -> None:
        key, secret = self.wrapping_keys(tmp_path).make(), new_key()
        wrapped = key.wrap(secret, CONTEXT)
        assert key.unwrap(wrapped, CONTEXT) == secret
        assert secret not in wrapped
        with pytest.raises(SealBroken):
            key.unwrap(wrapped, {"purpose": "another"})
        with pytest.raises(SealBroken):
            key.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), CONTEXT)

    def test_another_key_opens_nothing_of_it(self, tmp_path: Path) -> None:
        keys = self.wrapping_keys(tmp_path)
        wrapped = keys.make().wrap(new_key(), CONTEXT)
        with pytest.raises(SealBroken):
            keys.make().unwrap(wrapped, CONTEXT)

    def test_keys_are_found_again_oldest_first(self, tmp_path: Path) -> None:
        keys, secret = self.wrapping_keys(tmp_path), new_key()
        first, second = keys.make(), keys.make()
        wrapped = first.wrap(secret, CONTEXT)
        again = self.wrapping_keys(tmp_path)
        assert again.identifiers() == (first.identifier, second.identifier)
        assert again.named(first.identifier).unwrap(wrapped, CONTEXT) == secret

    def test_a_destroyed_key_is_gone_and_its_name_is_not_given_again(self, tmp_path: Path) -> None:
        keys = self.wrapping_keys(tmp_path)
        first, second = keys.make(), keys.make()
        keys.destroy(first.identifier)
        keys.destroy(first.identifier)
        assert keys.identifiers() == (second.identifier,)
        with pytest.raises(HomeUnusable):
            keys.named(first.identifier)
        assert keys.make().identifier not in {first.identifier, second.identifier}


class TestFileKeys(WrappingKeysContract):
    def wrapping_keys(self, folder: Path) -> FileKeys:
        return FileKeys(folder / "wrapping")

    def test_a_key_that_others_may_read_is_not_used(self, tmp_path: Path) -> None:
        keys = self.wrapping_keys(tmp_path)
        key = keys.make()
        (tmp_path / "wrapping" / f"{key.identifier}.key").chmod(0o640)
        with pytest.raises(HomeUnusable, match="may be read by other users"):
            keys.named(key.identifier)

    def test_no_name_leads_out_of_the_folder(self, tmp_path: Path) -> None:
        with pytest.raises(HomeUnusable):
            self.wrapping_keys(tmp_path).named("../../etc/passwd")

    def test_a_key_never_prints(self, tmp_path: Path) -> None:
        assert repr(self.wrapping_keys(tmp_path).make()) == "FileKey('kek-000001', ***)"


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return opened(tmp_path)


def opened(folder: Path) -> KeyStore:
    return KeyStore(folder / "keys", FileKeys(folder / "wrapping"))


@pytest.fixture
def uploaded(room: BrokerRoom) -> Uploaded:
    return room.uploads["visits"]


def files(folder: Path) -> dict[str, bytes]:
    """Every file below, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and not path.is_relative_to(folder / "broker")
        and not path.is_relative_to(folder / "platform")
    }


def test_a_kept_key_comes_back_and_stands_nowhere_in_clear(
    store: KeyStore, uploaded: Uploaded, tmp_path: Path
) -> None:
    held = store.put(uploaded.manifest, uploaded.key, now=NOON)
    assert opened(tmp_path).get(uploaded.version) == uploaded.key
    assert opened(tmp_path).all_held() == (held,)
    for content in files(tmp_path).values():
        assert uploaded.key not in content
        assert base64.b64encode(uploaded.key) not in content
        assert uploaded.key.hex().encode() not in content


def test_files_and_folders_are_for_their_owner_only(
    store: KeyStore, uploaded: Uploaded, tmp_path: Path
) -> None:
    store.put(uploaded.manifest, uploaded.key, now=NOON)
    for path in [tmp_path / "keys", *(tmp_path / "keys").iterdir(), *(tmp_path / "wrapping").iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_same_key_again_changes_nothing_and_another_is_refused(
    store: KeyStore, uploaded: Uploaded
) -> None:
    held = store.put(uploaded.manifest, uploaded.key, now=NOON)
    assert store.put(uploaded.manifest, uploaded.key, now=NOON.replace(hour=13)) == held
    with pytest.raises(Conflict):
        store.put(uploaded.manifest, new_key(), now=NOON)
    assert store.get(uploaded.version) == uploaded.key


def test_a_key_whose_description_was_changed_does_not_open(
    store: KeyStore, uploaded: Uploaded, tmp_path: Path
) -> None:
    """Else who may write to the folder could make a retention longer, or pass one table for another."""
    store.put(uploaded.manifest, uploaded.key, now=NOON)
    path = tmp_path / "keys" / f"{uploaded.version}.key"
    plain = json.loads(path.read_text())
    plain["held"]["kept"] = "2030-01-01T00:00:00+00:00"
    path.write_text(json.dumps(plain))
    with pytest.raises(HomeUnusable, match="does not open"):
        store.get(uploaded.version)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b'{"held": {"version": 1}}'])
def test_a_damaged_key_file_is_named(
    store: KeyStore, uploaded: Uploaded, tmp_path: Path, content: bytes
) -> None:
    store.put(uploaded.manifest, uploaded.key, now=NOON)
    (tmp_path / "keys" / f"{uploaded.version}.key").write_bytes(content)
    with pytest.raises(HomeUnusable, match=r"ver-.*\.key is damaged"):
        store.get(uploaded.version)


def test_a_destroyed_key_is_gone_for_good_and_can_be_told(
    store: KeyStore, uploaded: Uploaded, tmp_path: Path
) -> None:
    store.put(uploaded.manifest, uploaded.key, now=NOON)
    wrapped = (tmp_path / "keys" / f"{uploaded.version}.key").read_bytes()
    tombstone = store.destroy(uploaded.version, now=NOON, why="asked for")
    by_hand = hashlib.sha256(
        b"mixroom dataset key 1\0" + uploaded.version.encode() + b"\0" + uploaded.key
    ).hexdigest()
    assert tombstone.commitment == by_hand == key_commitment(uploaded.version, uploaded.key)
    assert wrapped not in files(tmp_path).values()
    with pytest.raises(NotFound, match="destroyed"):
        store.get(uploaded.version)
    with pytest.raises(Conflict):
        store.put(uploaded.manifest, uploaded.key, now=NOON)
    assert opened(tmp_path).destroyed() == (tombstone,)
    assert store.destroy(uploaded.version, now=NOON, why="again") == tombstone


def test_what_is_destroyed_is_overwritten_before_its_name_goes(
    store: KeyStore, uploaded: Uploaded, tmp_path: Path
) -> None:
    store.put(uploaded.manifest, uploaded.key, now=NOON)
    path = tmp_path / "keys" / f"{uploaded.version}.key"
    other_name = tmp_path / "keys" / "other-name"
    other_name.hardlink_to(path)
    store.destroy(uploaded.version, now=NOON, why="asked for")
    assert set(other_name.read_bytes()) == {0}


def test_an_unknown_key_cannot_be_destroyed(store: KeyStore) -> None:
    with pytest.raises(NotFound):
        store.destroy("ver-aaaaaaaaaaaaaaaa", now=NOON, why="asked for")


def test_rotation_wraps_every_key_anew_and_the_old_wrapping_key_is_gone(
    store: KeyStore, room: BrokerRoom, tmp_path: Path
) -> None:
    tables = [room.upload("adv", "visits") for _ in range(3)]
    for table in tables:
        store.put(table.manifest, table.key, now=NOON)
    before = files(tmp_path)
    rotation = store.rotate()
    after = files(tmp_path)
    assert (rotation.identifier, rotation.rewrapped) == ("kek-000002", 3)
    assert set(before.values()).isdisjoint(content for content in after.values() if content)
    assert "wrapping/kek-000001.key" not in after
    assert [opened(tmp_path).get(table.version) for table in tables] == [table.key for table in tables]


def test_keys_without_their_wrapping_keys_are_not_started_over(
    store: KeyStore, uploaded: Uploaded, tmp_path: Path
) -> None:
    store.put(uploaded.manifest, uploaded.key, now=NOON)
    (tmp_path / "wrapping" / "kek-000001.key").unlink()
    with pytest.raises(HomeUnusable, match="are missing"):
        opened(tmp_path)
