"""Signing in through an identity provider, and a whole story on PostgreSQL."""

import json
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from cleanroom.service.opening import open_room
from cleanroom.service.serving import first_credentials
from cleanroom.service.settings import RoomSettings
from tests.cleanroom.owners_brokers import with_broker
from tests.cleanroom.service.running_room import ANALYST, RunningRoom, listening
from tests.cleanroom.service.small_tables import PEOPLE, uploaded

KEY = ECKey.generate_key("P-256", {"kid": "one"})


def token(subject="ann", key=KEY):
    claims = {"iss": "https://login.example", "aud": "room", "sub": subject, "exp": int(time.time()) + 600}
    return jwt.encode({"alg": "ES256", "kid": "one"}, claims, key, algorithms=["ES256"])


@pytest.fixture
def with_provider(service, tmp_path):
    """The same service, that trusts an issuer besides."""
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    providers = [{"issuer": "https://login.example", "audience": "room", "keys": "jwks.json"}]
    (tmp_path / "providers.json").write_text(json.dumps(providers))
    settings = RoomSettings(data=tmp_path / "data", identity_providers=tmp_path / "providers.json")
    with open_room(settings) as parts:
        first = first_credentials(parts)
        assert first is not None
        with listening(parts) as url:
            yield RunningRoom(url, parts, first)


def test_a_linked_person_acts_as_the_member_until_unlinked(with_provider, tmp_path):
    home = with_provider.founded(tmp_path)
    here = f"/v1/collaborations/{home.room.collaboration}"
    with with_provider.http(home) as member, with_provider.http() as person:
        person.headers["Authorization"] = f"Bearer {token()}"
        assert person.get(here).status_code == 401
        assert member.put("/v1/oidc-link", json={"token": token()}).json() == {"ok": True}
        assert person.get(here).json()["founder"] == "acme"
        assert person.get("/v1/keys").status_code == 200

        person.headers["Authorization"] = f"Bearer {token(key=ECKey.generate_key('P-256', {'kid': 'one'}))}"
        assert person.get(here).status_code == 401
        assert member.delete("/v1/oidc-link").json() == {"ok": True}
        person.headers["Authorization"] = f"Bearer {token()}"
        assert person.get(here).status_code == 401


def test_a_token_for_somebody_else_links_nobody(with_provider, tmp_path):
    home = with_provider.founded(tmp_path)
    with with_provider.http(home) as member:
        assert member.put("/v1/oidc-link", json={"token": "a.b.c"}).status_code == 401


def test_the_whole_story_on_postgresql(tmp_path, postgres_server):
    settings = RoomSettings(data=tmp_path / "data", database=postgres_server.new_database())
    with open_room(settings) as parts:
        first = first_credentials(parts)
        assert first is not None
        assert first_credentials(parts) is None
        with listening(parts) as url:
            service = RunningRoom(url, parts, first)
            home = service.founded(tmp_path)
            uploaded(tmp_path, home)
            ana = service.joined(home, "ana", ANALYST)
            with with_broker(home), RoomClient(ana) as room:
                answer = room.questions.ask(QuestionText("SELECT COUNT(DISTINCT person) FROM crm"))
            with RoomClient(home) as room:
                assert room.verify_audit().entries

    assert answer.release["body"]["result"]["rows"] == [[PEOPLE]]


def test_an_operator_whose_keys_have_all_expired_gets_another_at_the_next_start(tmp_path):
    with open_room(RoomSettings(data=tmp_path)) as parts:
        assert first_credentials(parts) is not None
        assert first_credentials(parts) is None
        later = replace(parts, clock=lambda: parts.clock() + timedelta(days=91))
        assert first_credentials(later) is not None
