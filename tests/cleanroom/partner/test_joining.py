"""Founding and joining: what is pinned, and that no service can slip in other keys or terms."""

from dataclasses import replace

import httpx
import pytest

from cleanroom.errors import (
    HomeUnusable,
    InvitationInvalid,
    NotAuthorised,
    ServiceUnreachable,
    ServiceUntrusted,
)
from cleanroom.governance.secret_text import Secret
from cleanroom.partner.invitation_text import Invitation
from cleanroom.partner.joining import Founding, accept, found
from cleanroom.partner.party_home import PartyHome, identity_text
from cleanroom.partner.room_client import RoomClient
from privacy.identifiers import IdentifierKind, IdentifierRule, IdentityKey
from privacy.party_keys import PartyKeys
from tests.cleanroom.service.running_room import ANALYST, OWNER

EMAIL, UID2 = IdentifierKind.EMAIL, IdentifierRule.UID2


@pytest.fixture
def acme(service, tmp_path):
    return service.founded(tmp_path)


def invitation(home, party="beta", *roles):
    with RoomClient(home) as room:
        invited = room.invite(party, frozenset(roles or {OWNER}))
    assert invited.text is not None
    return Invitation.read(invited.text.reveal())


def test_founder_and_invited_owner_hash_people_alike(service, acme):
    beta = service.joined(acme, "beta", OWNER)

    assert beta.identity_key.token("ann@example.com") == acme.identity_key.token("ann@example.com")


def test_founder_and_invited_party_pin_the_root_of_the_services_enclave(service, acme):
    beta = service.joined(acme, "beta", OWNER)

    assert beta.room.enclave_root == acme.room.enclave_root == service.parts.executor.root


def test_the_service_never_saw_the_identity_key(service, acme, tmp_path_factory):
    service.joined(acme, "beta", OWNER)
    secret = acme.identity_key.secret

    for path in service.parts.settings.data.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert secret not in content
            assert identity_text(acme.identity_key).encode() not in content


def test_an_invited_analyst_gets_no_identity_key(service, acme):
    assert invitation(acme, "ana", ANALYST).identity_key == ""
    assert not (service.joined(acme, "ana", ANALYST).folder / "identity.key").exists()


def test_a_founding_code_founds_once(service, tmp_path):
    code = service.founding_code()
    found(PartyHome(tmp_path / "one"), Founding("One", "acme", service.url, EMAIL, UID2), code)

    with pytest.raises(NotAuthorised):
        found(PartyHome(tmp_path / "two"), Founding("Two", "acme", service.url, EMAIL, UID2), code)
    assert not PartyHome(tmp_path / "two").is_in_room


def test_an_invitation_is_used_once(service, acme, tmp_path):
    text = invitation(acme)
    accept(PartyHome(tmp_path / "one"), text)

    with pytest.raises(NotAuthorised):
        accept(PartyHome(tmp_path / "two"), text)


@pytest.mark.parametrize(
    "other", [{"service_keys": PartyKeys.generate("service").public}, {"root_fingerprint": "SHA256:other"}]
)
def test_a_service_with_other_keys_or_another_root_than_the_invitations_is_not_joined(acme, tmp_path, other):
    with pytest.raises(
        ServiceUntrusted, match="other keys or another root than the invitation names; nothing was joined"
    ):
        accept(PartyHome(tmp_path / "beta"), replace(invitation(acme), **other))


def test_other_terms_than_the_invitations_are_not_signed(acme, tmp_path):
    with pytest.raises(InvitationInvalid, match="other terms"):
        accept(PartyHome(tmp_path / "beta"), replace(invitation(acme), terms_digest="0" * 64))


def test_an_identity_key_that_does_not_fit_the_terms_is_not_taken(acme, tmp_path):
    other = identity_text(IdentityKey.generate(EMAIL, UID2))

    with pytest.raises(InvitationInvalid, match="no identity key that fits"):
        accept(PartyHome(tmp_path / "beta"), replace(invitation(acme), identity_key=other))


def lose_the_answer_of(monkeypatch, path):
    """The first answer to a POST there never arrives."""
    monkeypatch.setattr("cleanroom.partner.room_link.FIRST_PAUSE_SECONDS", 0.0)
    send = httpx.Client.request
    lost: list[httpx.Response] = []

    def lose(self, method, url, **rest):
        response = send(self, method, url, **rest)
        if url == path and not lost:
            lost.append(response)
            raise httpx.ReadError("lost")
        return response

    monkeypatch.setattr(httpx.Client, "request", lose)


def test_a_party_whose_joining_was_answered_into_the_void_is_in(service, acme, tmp_path, monkeypatch):
    text = invitation(acme)
    lose_the_answer_of(monkeypatch, "/v1/invitations/accept")

    room = accept(PartyHome(tmp_path / "beta"), text)

    with RoomClient(PartyHome(tmp_path / "beta")) as client:
        assert {member.name for member in client.collaboration().members} == {"acme", "beta"}
    assert room.member == "beta"


def test_a_founder_whose_founding_was_answered_into_the_void_is_in(service, tmp_path, monkeypatch):
    lose_the_answer_of(monkeypatch, "/v1/collaborations")

    home = service.founded(tmp_path)

    with RoomClient(home) as client:
        assert client.collaboration().id == home.room.collaboration


def test_a_joining_that_died_before_its_answer_is_finished_by_the_same_command(
    service, acme, tmp_path, monkeypatch
):
    text, home = invitation(acme), PartyHome(tmp_path / "beta")

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PartyHome, "enter", die)
        with pytest.raises(KeyboardInterrupt):
            accept(home, text)
    assert not home.is_in_room

    assert accept(home, text).member == "beta"


def test_a_lost_key_is_replaced_by_signature_and_a_stolen_one_ends(service, acme):
    stolen = acme.api_key
    with RoomClient(acme) as room:
        room.recover_key(end_others=True)

    with RoomClient(acme) as room:
        assert room.collaboration().founder == "acme"
    with service.http() as nobody:
        headers = {"Authorization": f"Bearer {stolen.reveal()}"}
        assert nobody.get("/v1/keys", headers=headers).status_code == 401


def test_a_home_joins_one_room(service, acme):
    with pytest.raises(HomeUnusable, match="in a room already"):
        accept(acme, invitation(acme))


def test_a_second_owner_waits_for_the_first_and_then_gets_its_invitation(service, acme):
    beta = service.joined(acme, "beta", OWNER)
    with RoomClient(beta) as of_beta, RoomClient(acme) as of_acme:
        asked = of_beta.invite("gamma", frozenset({OWNER}))
        assert (asked.text, asked.waiting_for) == (None, ("acme",))
        assert of_beta.invite("gamma", frozenset({OWNER})) == asked  # nothing is proposed twice
        of_acme.approve(asked.proposal)

        assert of_beta.invite("gamma", frozenset({OWNER})).text is not None


def test_keys_are_not_sent_in_clear_to_another_machine(tmp_path):
    founding = Founding("Spring", "acme", "http://room.example", EMAIL, UID2)

    with pytest.raises(ServiceUntrusted, match="https only"):
        found(PartyHome(tmp_path), founding, Secret("mrk_x"))


def test_a_service_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("cleanroom.partner.room_link.FIRST_PAUSE_SECONDS", 0.0)
    founding = Founding("Spring", "acme", "http://127.0.0.1:9", EMAIL, UID2)

    with pytest.raises(ServiceUnreachable, match=r"http://127\.0\.0\.1:9 does not answer"):
        found(PartyHome(tmp_path), founding, Secret("mrk_x"))
