"""A party's keys stay on its disk, for its eyes only, and both are covered by one fingerprint."""

import dataclasses
import json
import stat

import pytest

from privacy.errors import IdentityUnusable, InvalidSetting
from privacy.identity import fingerprint, verify
from privacy.party_keys import PartyKeys, PublicKeys
from privacy.sealing import seal_message


def test_saved_keys_are_for_their_owner_only_and_load_again(tmp_path):
    keys = PartyKeys.generate("retailer")
    keys.save(tmp_path / "keys")
    loaded = PartyKeys.load(tmp_path / "keys")
    assert loaded.public == keys.public
    assert verify(keys.public.signing, b"hello", loaded.sign(b"hello"))
    assert loaded.open_message(seal_message(b"hi", keys.public.sealing, {"a": 1}), {"a": 1}) == b"hi"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()}
    assert (modes["signing.pem"], modes["sealing.pem"]) == (0o600, 0o600)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_keys_are_never_overwritten(tmp_path):
    keys = PartyKeys.generate("retailer")
    keys.save(tmp_path)
    with pytest.raises(IdentityUnusable, match="no existing key was changed"):
        PartyKeys.generate("retailer").save(tmp_path)
    assert PartyKeys.load(tmp_path).public == keys.public


@pytest.mark.parametrize("name", ["signing.pem", "sealing.pem"])
def test_keys_that_others_may_read_are_refused(tmp_path, name):
    PartyKeys.generate("retailer").save(tmp_path)
    (tmp_path / name).chmod(0o644)
    with pytest.raises(IdentityUnusable, match="other users") as refused:
        PartyKeys.load(tmp_path)
    assert "chmod 600" in refused.value.hint


@pytest.mark.parametrize("name", ["signing.pem", "sealing.pem", "public.json"])
@pytest.mark.parametrize("content", [None, b"", b"not a key", b"[]", b"{" * 100_000])
def test_missing_or_broken_files_are_refused(tmp_path, name, content):
    PartyKeys.generate("retailer").save(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(IdentityUnusable):
        PartyKeys.load(tmp_path)


def test_keys_swapped_or_mixed_between_parties_are_refused(tmp_path):
    for name in ("one", "two"):
        PartyKeys.generate(name).save(tmp_path / name)
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "sealing.pem").write_bytes((two / "sealing.pem").read_bytes())
    with pytest.raises(IdentityUnusable, match="do not belong"):
        PartyKeys.load(one)
    (two / "sealing.pem").write_bytes((two / "signing.pem").read_bytes())
    with pytest.raises(IdentityUnusable):
        PartyKeys.load(two)


def test_private_keys_never_print():
    keys = PartyKeys.generate("retailer")
    assert repr(keys) == "PartyKeys('retailer', ***)"
    assert str(keys) == f"{keys}" == repr(keys)


def test_the_fingerprint_covers_both_keys():
    public, other = PartyKeys.generate("a").public, PartyKeys.generate("b").public
    swapped = [
        dataclasses.replace(public, sealing=other.sealing),
        dataclasses.replace(public, signing=other.signing),
        dataclasses.replace(public, signing=public.sealing, sealing=public.signing),
    ]
    assert public.fingerprint == fingerprint(b"mixroom party keys 1\0" + public.signing + public.sealing)
    assert len({public.fingerprint, *(keys.fingerprint for keys in swapped)}) == 4


def test_public_keys_travel_as_json():
    public = PartyKeys.generate("Händler").public
    assert PublicKeys.of(json.loads(json.dumps(public.to_plain()))) == public


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": 1},
        {"signing": "AA=="},
        {"sealing": "?"},
        {"sealing": None},
        {"signing": "é"},
        {"more": "x"},
    ],
)
def test_what_are_no_public_keys_is_refused(change):
    plain = PartyKeys.generate("a").public.to_plain() | change
    with pytest.raises(IdentityUnusable):
        PublicKeys.of(plain)
    with pytest.raises(IdentityUnusable):
        PublicKeys.of([plain])


def test_a_name_that_does_not_print_is_refused():
    with pytest.raises(InvalidSetting):
        PartyKeys.generate("a\nb")
