"""Verifies bearer tokens of OpenID Connect issuers: signature, issuer, audience, times.

Guarantee: only RS256 and ES256 under a key that the issuer's own key set lists; the token's header chooses no
algorithm of another family. Every cause of refusal gets the same words as a wrong API key.
Not covered: tokens that the issuer has taken back before they expire.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cleanroom.errors import StoreUnavailable
from cleanroom.governance.credentials import not_authorised

ALGORITHMS = ["RS256", "ES256"]
LONGEST_TOKEN = 16 * 1024
SHORTEST_RSA_BITS = 2048
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class OidcSubject:
    """A person as one issuer knows it."""

    issuer: str
    subject: str


@dataclass(frozen=True)
class OidcIssuer:
    """An issuer that the operator trusts. `keys` is its JWKS; refresh it when the issuer rolls its keys."""

    issuer: str
    audience: str
    keys: Mapping[str, Any] = field(repr=False)
    leeway_seconds: int = 60

    def __post_init__(self) -> None:
        if not self.issuer or not self.audience or not 0 <= self.leeway_seconds <= 300:
            raise _unusable("it has an issuer, an audience, and a leeway of 0 to 300 seconds")
        key_set(self.keys)

    @classmethod
    def from_file(cls, issuer: str, audience: str, path: Path) -> OidcIssuer:
        """With the key set in a JSON file."""
        try:
            keys = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise _unusable("its key set is a readable JSON file") from error
        return cls(issuer, audience, keys)


class OidcVerifier:
    """Knows which issuers the operator trusts."""

    def __init__(self, issuers: Iterable[OidcIssuer]) -> None:
        self._issuers = {issuer.issuer: (issuer, key_set(issuer.keys)) for issuer in issuers}

    def verify(self, token: str, *, now: datetime) -> OidcSubject:
        """Who the token is about. Raises NotAuthorised, with the same words for every cause."""
        if len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
            raise not_authorised()
        for issuer, keys in self._issuers.values():
            try:
                claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
                _require_claims(issuer, claims, now)
            except (JoseError, ValueError, TypeError, KeyError, RecursionError):
                continue
            return OidcSubject(issuer.issuer, claims["sub"])
        raise not_authorised()


def key_set(keys: object) -> KeySet:
    """The public keys of a JWKS. Raises StoreUnavailable for private, symmetric, short or unknown keys."""
    try:
        listed = keys["keys"] if isinstance(keys, Mapping) else []
        usable = [dict(key) for key in listed if key.get("use", "sig") == "sig"]
        if not usable or any(not _strong(key) for key in usable):
            raise _unusable("its keys are public RSA keys of 2048 bits or more, or P-256 keys")
        return KeySet.import_key_set({"keys": usable})
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unusable("its key set is a JWKS") from error


def _strong(key: Mapping[str, Any]) -> bool:
    if "d" in key or key.get("alg", "RS256") not in ALGORITHMS:
        return False
    if key["kty"] == "RSA":
        return len(key["n"]) * 6 >= SHORTEST_RSA_BITS
    return bool(key["kty"] == "EC" and key["crv"] == "P-256")


def _require_claims(issuer: OidcIssuer, claims: Mapping[str, Any], now: datetime) -> None:
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=issuer.leeway_seconds,
        iss={"essential": True, "value": issuer.issuer},
        aud={"essential": True, "value": issuer.audience},
        exp={"essential": True},
        sub={"essential": True},
    )
    registry.validate(dict(claims))
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or not subject.isprintable():
        raise ValueError("no subject")


def _unusable(what: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"a trusted issuer's settings cannot be used: {what}", hint="copy the issuer's jwks_uri again"
    )
