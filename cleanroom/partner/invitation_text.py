"""An invitation as one text, to be passed to the invited party over a channel that is not the service.

Guarantee: whoever is given it can check that the service, and the root under which its workers are attested, are
those the inviter uses, and that the terms are those all owners signed. Not covered: whoever else reads it can join in
the invited party's place, and, when it is for an owner, test guesses of who is in the tables: send it as you would
send a password.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from cleanroom.errors import InvitationInvalid
from privacy.errors import IdentityUnusable
from privacy.party_keys import PublicKeys

PREFIX = "mrinvite1."
LONGEST = 16_000
_FIELDS = (
    "url",
    "collaboration",
    "code",
    "inviter",
    "inviter_fingerprint",
    "terms_digest",
    "root_fingerprint",
)


@dataclass(frozen=True)
class Invitation:
    """What the text holds. `code` and `identity_key` are secrets; the key is empty unless an owner is invited.

    root_fingerprint: of the certificate that every worker's attestation must go back to.
    """

    url: str
    collaboration: str
    code: str = field(repr=False)
    inviter: str
    inviter_fingerprint: str
    terms_digest: str
    root_fingerprint: str
    service_keys: PublicKeys
    identity_key: str = field(default="", repr=False)

    def text(self) -> str:
        """One line of letters, digits, `-`, `_` and a dot."""
        plain = {**vars(self), "service_keys": self.service_keys.to_plain()}
        compact = json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
        return PREFIX + base64.urlsafe_b64encode(compact).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Invitation:
        """From the text; white space that a mail program put in is ignored. Raises InvitationInvalid."""
        compact = "".join(text.split())
        try:
            if not compact.startswith(PREFIX) or len(compact) > LONGEST:
                raise ValueError("no invitation")
            encoded = compact.removeprefix(PREFIX)
            decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            return cls._of(json.loads(decoded))
        except (ValueError, KeyError, TypeError, binascii.Error, RecursionError, IdentityUnusable) as error:
            raise InvitationInvalid(
                "this is not an invitation, or not all of it; nothing was joined",
                hint=f"copy the whole text, from {PREFIX} on, or ask for a new invitation",
            ) from error

    @classmethod
    def _of(cls, plain: dict[str, Any]) -> Invitation:
        texts = {name: plain[name] for name in (*_FIELDS, "identity_key")}
        if not all(isinstance(value, str) for value in texts.values()):
            raise TypeError("not texts")
        if plain.keys() != {*texts, "service_keys"}:
            raise ValueError("something else is in it")
        return cls(**texts, service_keys=PublicKeys.of(plain["service_keys"]))
