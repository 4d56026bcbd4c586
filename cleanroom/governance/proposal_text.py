"""What can be proposed, and the text that is signed for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator

from cleanroom.errors import ProposalInvalid, Reason
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.room_ids import MEMBER_NAME, RESERVED
from cleanroom.rules.analysis_rule import NAME, RuleDocument
from privacy.canonical_json import canonical_json, digest_of
from privacy.errors import NotCanonical

LARGEST_CONTENT = 512 * 1024


class ProposalKind(StrEnum):
    """What a proposal changes once it is in force."""

    MEMBERSHIP = "membership"  # who may join and with which roles, or a member's roles
    RULES = "rules"  # a dataset's document
    TEMPLATE = "template"  # a query with parameters
    REMOVAL = "removal"  # a member leaves, and what it owns is destroyed


class ProposalState(StrEnum):
    """A proposal waits for signatures until one of the others."""

    WAITING = "waiting"
    EFFECTIVE = "effective"
    DECLINED = "declined"
    SUPERSEDED = "superseded"  # a later document on the same dataset took effect first


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Membership(_Frozen):
    """Who may join. With `fingerprint`, only the party whose keys have it (compare them by telephone)."""

    member: str
    roles: frozenset[MemberRole] = Field(min_length=1)
    fingerprint: Annotated[str, Field(max_length=100)] = ""

    @field_validator("member")
    @classmethod
    def _member_name(cls, name: str) -> str:
        return _require_name(name)

    @field_serializer("roles")
    def _sorted_roles(self, roles: frozenset[MemberRole]) -> list[str]:
        return sorted(roles)


class Rules(_Frozen):
    """A dataset's whole document."""

    document: RuleDocument


class Template(_Frozen):
    """A query with parameters, and every dataset that it touches."""

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    template: Mapping[str, Any]
    datasets: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]


class Removal(_Frozen):
    """Who leaves."""

    member: str


Content = Membership | Rules | Template | Removal
_SHAPES: dict[ProposalKind, type[Membership] | type[Rules] | type[Template] | type[Removal]] = {
    ProposalKind.MEMBERSHIP: Membership,
    ProposalKind.RULES: Rules,
    ProposalKind.TEMPLATE: Template,
    ProposalKind.REMOVAL: Removal,
}


def read_content(kind: ProposalKind, plain: object) -> Content:
    """The content of a proposal from plain JSON. Raises ProposalInvalid (RuleInvalid for a dataset's document)."""
    try:
        large = len(canonical_json(plain)) > LARGEST_CONTENT
    except NotCanonical as error:
        raise ProposalInvalid("the proposal is not plain JSON", hint="send JSON values only") from error
    if large:
        raise ProposalInvalid("the proposal is larger than 512 KiB", hint="shorten the lists of values")
    if kind is ProposalKind.RULES and isinstance(plain, Mapping) and set(plain) == {"document"}:
        return Rules(document=RuleDocument.of(plain["document"]))
    try:
        return _SHAPES[kind].model_validate(plain)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise ProposalInvalid(
            f"this is no proposal of the kind {kind}",
            hint="docs/clean-room.md shows one of each kind",
            reasons=[
                Reason(
                    "proposal_invalid",
                    f"{'.'.join(map(str, problem['loc'])) or 'content'}: "
                    f"{problem['msg'].removeprefix('Value error, ')}",
                )
                for problem in problems
            ],
        ) from error


def plain_content(content: Content) -> dict[str, Any]:
    """The content as plain JSON with every setting resolved: what is stored and digested."""
    if isinstance(content, Rules):
        return {"document": content.document.canonical()}
    plain: dict[str, Any] = content.model_dump(mode="json")
    return plain


def proposal_body(collaboration: str, kind: ProposalKind, content: object, sequence: int) -> dict[str, Any]:
    """What every signer signs as a document of the kind "proposal".

    It names the collaboration, the place in its row of proposals and the content, so that a signature fits
    nowhere else. Raises ProposalInvalid when the content is not one of that kind.
    """
    kind = ProposalKind(kind)
    return {
        "collaboration": collaboration,
        "proposal_kind": str(kind),
        "content_digest": digest_of(plain_content(read_content(kind, content))),
        "sequence": sequence,
    }


def _require_name(name: str) -> str:
    if not MEMBER_NAME.fullmatch(name) or name in RESERVED:
        raise ValueError("use a-z, 0-9 and -, at most 40 characters; some names are the service's own")
    return name
