"""Names of things in the room: random ids with a prefix, and the names that members choose."""

from __future__ import annotations

import base64
import re
import secrets

from cleanroom.errors import ProposalInvalid

MEMBER_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
RESERVED = frozenset({"service", "operator", "worker", "founder"})
_RANDOM = "[a-z2-7]{16}"
COLLABORATION_ID = re.compile("col-" + _RANDOM)
VERSION_ID = re.compile("ver-" + _RANDOM)
QUERY_ID = re.compile("qry-" + _RANDOM)


def new_collaboration_id() -> str:
    """Chosen on the founder's machine, because the founder signs it."""
    return "col-" + random_text(10)


def new_version_id() -> str:
    """Of one upload of a dataset."""
    return "ver-" + random_text(10)


def new_query_id() -> str:
    """Of one query that is charged."""
    return "qry-" + random_text(10)


def new_proposal_id() -> str:
    """Of one proposal."""
    return "pro-" + random_text(10)


def random_text(size: int) -> str:
    """`size` random bytes as lower-case base32 without padding: 10 bytes make 16 characters."""
    return base64.b32encode(secrets.token_bytes(size)).decode().rstrip("=").lower()


def require_member_name(name: object) -> str:
    """The name, if a member may bear it; names of the service's own actors are refused."""
    if not isinstance(name, str) or not MEMBER_NAME.fullmatch(name) or name in RESERVED:
        raise ProposalInvalid(
            "a member's name is a-z, 0-9 and -, at most 40 characters, and none of "
            + ", ".join(sorted(RESERVED)),
            hint="choose another name",
        )
    return name


def require_id(pattern: re.Pattern[str], text: object, *, what: str) -> str:
    """The id, if it has the shape of one."""
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ProposalInvalid(
            f"that is not the id of a {what}",
            hint=f"use {pattern.pattern[:4]} and 16 characters of a-z and 2-7, made at random",
        )
    return text
