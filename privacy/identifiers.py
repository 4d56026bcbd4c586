"""People as tokens: a keyed hash of a normalised identifier, equal in all tables of one collaboration.

Guarantee: who lacks the identity key cannot tell whose token it is, however many addresses they can hash: a
    dictionary of plain SHA-256 digests of all e-mail addresses is useless (HMAC-SHA256 as a pseudorandom function).
Not covered: whoever has the key (every data owner of the collaboration) can test a guess, one HMAC each, so a token
    is a pseudonym and not anonymous; and equal tokens show equal people, which is what a join needs.
Two people share a token with probability about n**2 / 2**129 among n: 1e-20 for a billion.
"""

import hmac
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from privacy.errors import InvalidSetting, TokenRefused
from privacy.identifier_problems import IdentifierProblem
from privacy.identifier_rules import (
    IdentifierKind,
    IdentifierRule,
    normalise,
    normalise_first_name,
    require_rule,
    rules_for,
)
from privacy.phone_numbers import require_region

__all__ = [
    "IdentifierKind",
    "IdentifierProblem",
    "IdentifierRule",
    "IdentityKey",
    "IdentityToken",
    "normalise",
    "normalise_first_name",
    "parse_token",
    "require_region",
    "rules_for",
]

SECRET_BYTES = 32
TOKEN_BYTES = 16
_TOKEN = re.compile(r"([0-9a-f]{8})\.([0-9a-f]{32})", re.ASCII)


class IdentityToken(NamedTuple):
    """A parsed token: the tag of the key and rule it was made with, and the person's 16 bytes."""

    tag: str
    person: bytes

    def __str__(self) -> str:
        return f"{self.tag}.{self.person.hex()}"


@dataclass(frozen=True)
class IdentityKey:
    """A collaboration's secret of 32 bytes, and the one kind and rule its tables are hashed by. Never prints."""

    secret: bytes = field(repr=False)
    kind: IdentifierKind
    rule: IdentifierRule

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise InvalidSetting(
                f"an identity key has {SECRET_BYTES} bytes, not {len(self.secret)}",
                hint="take it from the invitation, unchanged",
            )
        require_rule(self.kind, self.rule)

    @classmethod
    def generate(cls, kind: IdentifierKind, rule: IdentifierRule) -> "IdentityKey":
        """A new key from the operating system's random source."""
        return cls(os.urandom(SECRET_BYTES), kind, rule)

    def __repr__(self) -> str:
        return f"IdentityKey(***, {self.kind}, {self.rule}, tag={self.tag})"

    @property
    def tag(self) -> str:
        """Eight hex digits that stand for (key, kind, rule): tables made with others are noticed before a join.

        Public. Two different keys share one with probability 2**-32, so it shows mistakes, not forgeries.
        """
        return hmac.digest(self.secret, b"mixroom identity tag 1\0" + self._domain(), "sha256")[:4].hex()

    def token(self, normalised: str) -> str:
        """The token of one identifier that `normalise` gave for this kind and rule."""
        return self.tokens((normalised,))[0]

    def tokens(self, normalised: Iterable[str]) -> list[str]:
        """The tokens of many identifiers, in order."""
        secret, head = self.secret, f"{self.tag}."
        prefix = b"mixroom identity token 1\0" + self._domain()
        digest = hmac.digest
        return [
            head + digest(secret, prefix + text.encode(), "sha256")[:TOKEN_BYTES].hex() for text in normalised
        ]

    def _domain(self) -> bytes:
        # Neither name holds a zero byte, so no two (kind, rule, identifier) give one message.
        return f"{self.kind}\0{self.rule}\0".encode()


def parse_token(text: str) -> IdentityToken:
    """The parts of a token. Raises TokenRefused; the text is not in the message."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise TokenRefused(
            "a text is not an identity token",
            hint="hash the identifiers with `mixroom room hash`, and upload its output unchanged",
        )
    return IdentityToken(match[1], bytes.fromhex(match[2]))
