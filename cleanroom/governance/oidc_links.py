"""Which person of which issuer acts as which member. A member makes the link by showing a valid token of its own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cleanroom.errors import Conflict, Forbidden
from cleanroom.governance.audit_log import AuditLog, Note
from cleanroom.governance.credentials import not_authorised
from cleanroom.governance.oidc import OidcVerifier
from cleanroom.governance.principal import MemberRole, Principal, PrincipalKind
from cleanroom.governance.store import Store
from cleanroom.governance.tables import MemberRow, OidcLinkRow

OIDC = "oidc"


class OidcLinks:
    """All links of all collaborations."""

    def __init__(self, store: Store, verifier: OidcVerifier, audit: AuditLog) -> None:
        self._store = store
        self._verifier = verifier
        self._audit = audit

    def link(self, principal: Principal, token: str, *, now: datetime) -> None:
        """Let the token's person act as the caller. Raises NotAuthorised; Conflict when it acts as another."""
        if principal.kind is not PrincipalKind.MEMBER or principal.collaboration is None:
            raise Forbidden("only members are linked", hint="use a member's key")
        collaboration = principal.collaboration
        subject = self._verifier.verify(token, now=now)

        def work(session: Session) -> None:
            row = session.get(OidcLinkRow, (subject.issuer, subject.subject, collaboration))
            if row is not None and row.member != principal.member:
                raise Conflict(
                    "this person acts as another member", hint="that member removes its links first"
                )
            if row is None:
                session.add(
                    OidcLinkRow(
                        issuer=subject.issuer,
                        subject=subject.subject,
                        collaboration=collaboration,
                        member=principal.member,
                        linked=now,
                    )
                )
            note = Note(collaboration, principal.actor, "sign-in linked", {"issuer": subject.issuer})
            self._audit.append(session, note, now=now)

        self._store.write(work)

    def unlink(self, principal: Principal, *, now: datetime) -> None:
        """Remove all links of the caller."""

        def work(session: Session) -> None:
            session.execute(
                delete(OidcLinkRow).where(
                    OidcLinkRow.collaboration == principal.collaboration,
                    OidcLinkRow.member == principal.member,
                )
            )
            note = Note(principal.collaboration or "", principal.actor, "sign-ins unlinked")
            self._audit.append(session, note, now=now)

        if principal.kind is not PrincipalKind.MEMBER:
            raise Forbidden("only members are linked", hint="use a member's key")
        self._store.write(work)

    def authenticate(self, token: str, *, collaboration: str | None = None, now: datetime) -> Principal:
        """Whose token it is. A person linked in several collaborations names one. Raises NotAuthorised."""
        subject = self._verifier.verify(token, now=now)

        def work(session: Session) -> Principal:
            query = select(OidcLinkRow).where(
                OidcLinkRow.issuer == subject.issuer, OidcLinkRow.subject == subject.subject
            )
            if collaboration is not None:
                query = query.where(OidcLinkRow.collaboration == collaboration)
            links = list(session.scalars(query.limit(2)))
            member = session.get(MemberRow, (links[0].collaboration, links[0].member)) if links else None
            if len(links) != 1 or member is None or member.removed is not None:
                raise not_authorised()
            roles = frozenset(MemberRole(role) for role in member.roles)
            return Principal(PrincipalKind.MEMBER, member.name, member.collaboration, roles, OIDC)

        return self._store.read(work)
