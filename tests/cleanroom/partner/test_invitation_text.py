"""The invitation as text: it survives mail programs, and anything else is refused whole."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.errors import InvitationInvalid
from cleanroom.partner.invitation_text import PREFIX, Invitation
from privacy.party_keys import PartyKeys

INVITATION = Invitation(
    url="https://room.example",
    collaboration="col-abcdefgh23456722",
    code="inv_secret",
    inviter="acme",
    inviter_fingerprint="SHA256:abc",
    terms_digest="0" * 64,
    root_fingerprint="SHA256:def",
    service_keys=PartyKeys.generate("service").public,
    identity_key="aWRlbnRpdHk=",
)


def test_the_text_reads_back():
    assert Invitation.read(INVITATION.text()) == INVITATION


def test_line_breaks_and_spaces_of_a_mail_do_no_harm():
    text = INVITATION.text()
    folded = "\r\n  ".join(text[start : start + 60] for start in range(0, len(text), 60))

    assert Invitation.read(f"  {folded}\n") == INVITATION


def test_it_is_one_word_of_letters_that_survive_everywhere():
    assert INVITATION.text().startswith(PREFIX)
    assert set(INVITATION.text().removeprefix(PREFIX)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def test_printing_shows_neither_code_nor_key():
    assert "inv_secret" not in repr(INVITATION)
    assert "aWRlbnRpdHk" not in repr(INVITATION)


@given(cut=st.integers(0, 400))
def test_a_cut_text_is_refused(cut):
    with pytest.raises(InvitationInvalid):
        Invitation.read(INVITATION.text()[:cut])


@given(text=st.text(max_size=200))
def test_any_other_text_is_refused(text):
    with pytest.raises(InvitationInvalid):
        Invitation.read(PREFIX + text)


@pytest.mark.parametrize(
    "change", [{"url": 1}, {"extra": "x"}, {"service_keys": {}}, {"code": None}, {"root_fingerprint": 7}]
)
def test_other_contents_are_refused(change):
    encoded = INVITATION.text().removeprefix(PREFIX)
    plain = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    changed = base64.urlsafe_b64encode(json.dumps({**plain, **change}).encode()).decode().rstrip("=")

    with pytest.raises(InvitationInvalid):
        Invitation.read(PREFIX + changed)
