"""A party's home: what is secret is 0600, what was pinned comes back, what is missing says how to make it."""

import json
import stat

import pytest

from cleanroom.errors import HomeUnusable
from cleanroom.governance.secret_text import Secret
from cleanroom.governance.terms import IdentityTerms
from cleanroom.partner.party_home import PartyHome, PinnedRoom
from privacy.identifiers import IdentifierKind, IdentifierRule, IdentityKey
from privacy.party_keys import PartyKeys

KEY = IdentityKey(bytes(range(32)), IdentifierKind.EMAIL, IdentifierRule.UID2)
ROOM = PinnedRoom(
    url="https://room.example",
    collaboration="col-abcdefgh23456722",
    member="acme",
    identity=IdentityTerms("email", "uid2", KEY.tag),
    terms_digest="0" * 64,
    service_keys=PartyKeys.generate("service").public,
    enclave_root=b"a certificate",
)


@pytest.fixture
def home(tmp_path):
    place = PartyHome(tmp_path / "acme")
    place.ensure_keys("acme")
    place.prepare(ROOM, KEY)
    place.enter(Secret("mrk_secret"))
    return place


def test_what_was_pinned_comes_back(home):
    assert home.room == ROOM
    assert home.api_key.reveal() == "mrk_secret"
    assert home.identity_key.secret == KEY.secret
    assert home.keys.name == "acme"


def test_secrets_are_for_the_owners_eyes_only(home):
    modes = {name: stat.S_IMODE((home.folder / name).stat().st_mode) for name in ("api.key", "identity.key")}

    assert modes == {"api.key": 0o600, "identity.key": 0o600}


@pytest.mark.parametrize("name", ["api.key", "identity.key"])
def test_a_secret_that_others_may_read_is_not_used(home, name):
    (home.folder / name).chmod(0o644)

    with pytest.raises(HomeUnusable, match="may be read by other users") as refused:
        _ = home.api_key if name == "api.key" else home.identity_key
    assert refused.value.hint.startswith("chmod 600")


def test_a_home_that_is_not_there_names_the_commands_that_make_one(tmp_path):
    with pytest.raises(HomeUnusable) as refused:
        _ = PartyHome(tmp_path / "nowhere").room

    assert "mixroom room create" in refused.value.hint


def test_a_home_in_a_room_enters_no_other(home):
    with pytest.raises(HomeUnusable, match="in a room already"):
        home.require_new()


def test_a_home_is_of_one_party(home):
    with pytest.raises(HomeUnusable, match="home of acme, not of beta"):
        home.ensure_keys("beta")


def test_an_analysts_home_has_no_identity_key(tmp_path):
    place = PartyHome(tmp_path)
    place.ensure_keys("acme")
    place.prepare(ROOM, None)
    place.enter(Secret("mrk_secret"))

    with pytest.raises(HomeUnusable, match="did not join as a data owner"):
        _ = place.identity_key


def test_another_collaborations_identity_key_is_noticed(home):
    other = IdentityKey.generate(IdentifierKind.EMAIL, IdentifierRule.UID2)
    home.prepare(ROOM, other)
    home.enter(Secret("mrk_secret"))

    with pytest.raises(HomeUnusable, match="is not this collaboration's identity key"):
        _ = home.identity_key


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"url": 1}'])
def test_a_damaged_room_file_is_named(home, text):
    (home.folder / "room.json").write_text(text, encoding="utf-8")

    with pytest.raises(HomeUnusable, match=r"room\.json"):
        _ = home.room


def test_a_root_that_is_no_base64_any_more_is_named(home):
    plain = {**ROOM.to_plain(), "enclave_root": "not base64!"}
    (home.folder / "room.json").write_text(json.dumps(plain), encoding="utf-8")

    with pytest.raises(HomeUnusable, match=r"room\.json"):
        _ = home.room


def test_a_prepared_home_is_in_no_room_yet(tmp_path):
    place = PartyHome(tmp_path)
    place.prepare(ROOM, KEY)

    assert not place.is_in_room
    assert place.prepared == ROOM
