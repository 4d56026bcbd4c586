"""Who is calling, as authentication found it, and what that allows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cleanroom.errors import Forbidden, NotFound


class MemberRole(StrEnum):
    """What a member does in a collaboration; a member may have several roles."""

    OWNER = "owner"  # owns datasets, signs what concerns them, may query too
    ANALYST = "analyst"  # asks
    AUDITOR = "auditor"  # reads the records, never asks


class PrincipalKind(StrEnum):
    """Whose credential it is."""

    MEMBER = "member"
    OPERATOR = "operator"  # runs the service; belongs to no collaboration and reads nothing in one
    FOUNDER = "founder"  # holds a code that founds one collaboration


@dataclass(frozen=True)
class Principal:
    """An authenticated caller. `credential` is the id of the API key, or "oidc"."""

    kind: PrincipalKind
    member: str
    collaboration: str | None
    roles: frozenset[MemberRole]
    credential: str

    @property
    def label(self) -> str:
        """One text per caller: whose idempotency keys these are."""
        if self.kind is PrincipalKind.MEMBER:
            return f"{self.collaboration}/{self.member}"
        return f"{self.kind}/{self.credential}"

    @property
    def actor(self) -> str:
        """The name in audit entries: the member's own in its collaboration."""
        return self.member if self.kind is PrincipalKind.MEMBER else self.label

    def require(self, collaboration: str, *roles: MemberRole) -> None:
        """Raise NotFound unless a member of `collaboration`, Forbidden unless with one of `roles` (if any)."""
        if self.kind is not PrincipalKind.MEMBER or self.collaboration != collaboration:
            raise NotFound(
                "there is no such collaboration, or you are not a member of it",
                hint="check the collaboration's id and which key you use",
            )
        if roles and self.roles.isdisjoint(roles):
            wanted = " or ".join(roles)
            raise Forbidden(
                f"this needs the role {wanted}", hint="ask an owner, or propose a change of your roles"
            )

    def require_operator(self) -> None:
        """Raise Forbidden unless it is the operator."""
        if self.kind is not PrincipalKind.OPERATOR:
            raise Forbidden("only the service's operator may do this", hint="ask the operator")
