"""What a founder signs to found a collaboration, and an invited party to join it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.errors import ProposalInvalid
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.room_ids import (
    COLLABORATION_ID,
    new_collaboration_id,
    require_id,
    require_member_name,
)
from privacy.canonical_json import digest_of
from privacy.errors import PrivacyError
from privacy.party_keys import PublicKeys

__all__ = ["IdentityTerms", "Terms", "acceptance_body", "new_collaboration_id", "read_roles"]

_WORD = re.compile(r"[A-Za-z0-9_-]{1,40}")
LONGEST_NAME = 200


@dataclass(frozen=True)
class IdentityTerms:
    """How people are recognised across tables: kind and rule of the identifier, and the tag of the shared key."""

    kind: str
    rule: str
    tag: str

    def __post_init__(self) -> None:
        if not all(
            isinstance(word, str) and _WORD.fullmatch(word) for word in (self.kind, self.rule, self.tag)
        ):
            raise _not_terms("the identity has a kind, a rule and a tag")


@dataclass(frozen=True)
class Terms:
    """What all members agree on; none of it ever changes."""

    collaboration: str
    name: str
    founder: str
    roles: frozenset[MemberRole]
    keys: PublicKeys
    identity: IdentityTerms

    def __post_init__(self) -> None:
        require_id(COLLABORATION_ID, self.collaboration, what="collaboration")
        require_member_name(self.founder)
        if (
            not isinstance(self.name, str)
            or not 1 <= len(self.name) <= LONGEST_NAME
            or not self.name.isprintable()
        ):
            raise _not_terms(f"the name has 1 to {LONGEST_NAME} printable characters")
        if MemberRole.OWNER not in self.roles:
            raise _not_terms("the founder is an owner: without one nobody could sign for a further member")
        if self.keys.name != self.founder:
            raise _not_terms("the keys bear another name than the founder")

    @property
    def digest(self) -> str:
        """What an invited party signs over."""
        return digest_of(self.body())

    def body(self) -> dict[str, Any]:
        """Signed by the founder as a document of the kind "terms"."""
        return {
            "collaboration": self.collaboration,
            "name": self.name,
            "founder": self.founder,
            "roles": sorted(self.roles),
            "keys": self.keys.to_plain(),
            "identity": {"kind": self.identity.kind, "rule": self.identity.rule, "tag": self.identity.tag},
        }

    @classmethod
    def of(cls, body: object) -> Terms:
        """From plain values. Raises ProposalInvalid."""
        fields = {"collaboration", "name", "founder", "roles", "keys", "identity"}
        if not isinstance(body, Mapping) or set(body) != fields:
            raise _not_terms("there are exactly " + ", ".join(sorted(fields)))
        identity = body["identity"]
        if not isinstance(identity, Mapping) or set(identity) != {"kind", "rule", "tag"}:
            raise _not_terms("the identity has a kind, a rule and a tag")
        return cls(
            collaboration=body["collaboration"],
            name=body["name"],
            founder=body["founder"],
            roles=read_roles(body["roles"]),
            keys=read_keys(body["keys"]),
            identity=IdentityTerms(**identity),
        )


def acceptance_body(
    terms_digest: str, collaboration: str, *, member: str, roles: frozenset[MemberRole], keys: PublicKeys
) -> dict[str, Any]:
    """Signed by the party that joins as a document of the kind "acceptance"."""
    return {
        "collaboration": collaboration,
        "terms": terms_digest,
        "member": member,
        "roles": sorted(roles),
        "keys": keys.to_plain(),
    }


def read_roles(plain: object) -> frozenset[MemberRole]:
    """A set of roles from a list of words. Raises ProposalInvalid."""
    try:
        if not isinstance(plain, list | tuple):
            raise TypeError("not a list")
        roles = frozenset(MemberRole(word) for word in plain)
    except (TypeError, ValueError) as error:
        raise _not_terms("roles are a list of " + ", ".join(MemberRole)) from error
    if not roles:
        raise _not_terms("a member has at least one role")
    return roles


def read_keys(plain: object) -> PublicKeys:
    """A party's public keys from plain values. Raises ProposalInvalid."""
    try:
        return PublicKeys.of(plain)
    except (PrivacyError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise _not_terms("the keys are a party's public keys") from error


def _not_terms(what: str) -> ProposalInvalid:
    return ProposalInvalid(f"this cannot be agreed on: {what}", hint="make the document with the client")
