"""Bearer tokens of issuers that the tests make themselves."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from cleanroom.errors import Conflict, NotAuthorised, StoreUnavailable
from cleanroom.governance.oidc import OidcIssuer, OidcSubject, OidcVerifier
from cleanroom.governance.oidc_links import OidcLinks
from cleanroom.governance.proposal_text import ProposalKind
from tests.cleanroom.governance.example_room import ANALYST, NOON, ExampleRoom, later

ISSUER, AUDIENCE = "https://login.example", "mixroom"
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
JWKS = {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}
VERIFIER = OidcVerifier([OidcIssuer(ISSUER, AUDIENCE, JWKS)])


def token(key: Any = EC, algorithm: str = "ES256", header: dict | None = None, **changes: Any) -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "dan@example",
        "exp": int(later(hours=1).timestamp()),
        "nbf": int(NOON.timestamp()),
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    header = {"alg": algorithm, "kid": key.kid or "ec", **(header or {})}
    return jwt.encode(header, claims, key, algorithms=[algorithm])


def unsigned() -> str:
    _, body, _ = token().split(".")
    return f"{encoded(json.dumps({'alg': 'none'}).encode())}.{body}."


def shared_secret(secret: bytes) -> str:
    """By hand: the library refuses to make such a token."""
    _, body, _ = token().split(".")
    signed = f"{encoded(json.dumps({'alg': 'HS256', 'kid': 'rsa'}).encode())}.{body}"
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_tokens_of_both_algorithms_name_their_person() -> None:
    for text in (token(), token(RSA, "RS256")):
        assert VERIFIER.verify(text, now=NOON) == OidcSubject(ISSUER, "dan@example")


def test_a_clock_that_is_a_minute_off_is_forgiven_and_no_more() -> None:
    text = token(nbf=int(later(seconds=60).timestamp()), exp=int(later(hours=1).timestamp()))
    VERIFIER.verify(text, now=NOON)
    VERIFIER.verify(text, now=later(hours=1, seconds=59))
    for moment in (later(seconds=-1), later(hours=1, seconds=61)):
        with pytest.raises(NotAuthorised):
            VERIFIER.verify(text, now=moment)


def test_every_token_that_is_not_for_us_gets_the_same_words() -> None:
    own = ECKey.generate_key("P-256", {"kid": "ec"})
    header, _, signature = token().split(".")
    _, other_body, _ = token(sub="eve@example").split(".")
    wrong = {
        "another issuer": token(iss="https://evil.example"),
        "another audience": token(aud="other"),
        "no audience": token(aud=None),
        "no end": token(exp=None),
        "no subject": token(sub=None),
        "an empty subject": token(sub=""),
        "a key of its own": token(own),
        "its own key in the header": token(own, header={"jwk": own.as_dict(private=False)}),
        "the public key as a shared secret": shared_secret(RSA.as_pem(private=False)),
        "another algorithm of the same key": token(RSA, "RS512"),
        "no signature": unsigned(),
        "another body": f"{header}.{other_body}.{signature}",
        "no token": "x.y.z",
        "nothing": "",
        "too much": token() + "A" * 20_000,
    }
    words = set()
    for text in wrong.values():
        with pytest.raises(NotAuthorised) as refused:
            VERIFIER.verify(text, now=NOON)
        words.add(str(refused.value))
    assert len(words) == 1


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": []},
        [],
        {"keys": [EC.as_dict(private=True)]},
        {"keys": [OctKey.generate_key(256).as_dict(private=True)]},
        {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]},
        {"keys": ["x"]},
    ],
)
def test_a_key_set_with_weak_shared_or_private_keys_is_refused(keys: Any) -> None:
    with pytest.raises(StoreUnavailable):
        OidcIssuer(ISSUER, AUDIENCE, keys)


def test_a_key_set_comes_from_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(JWKS))
    verifier = OidcVerifier([OidcIssuer.from_file(ISSUER, AUDIENCE, path)])
    assert verifier.verify(token(), now=NOON).subject == "dan@example"


def test_a_linked_person_acts_as_the_member_until_it_is_removed(room: ExampleRoom) -> None:
    links = OidcLinks(room.governance.store, VERIFIER, room.governance.audit)
    dan = room.add("dan", ANALYST)
    with pytest.raises(NotAuthorised):
        links.authenticate(token(), now=NOON)
    links.link(dan, token(), now=NOON)
    signed_in = links.authenticate(token(), now=NOON)
    assert (signed_in.member, signed_in.collaboration, signed_in.roles) == (
        "dan",
        room.collaboration,
        ANALYST,
    )
    with pytest.raises(NotAuthorised):
        links.authenticate(token(), collaboration="col-" + "a" * 16, now=NOON)
    with pytest.raises(Conflict):
        links.link(room.principals["adv"], token(), now=NOON)
    room.agree("adv", ProposalKind.REMOVAL, {"member": "dan"})
    with pytest.raises(NotAuthorised):
        links.authenticate(token(), now=NOON)
