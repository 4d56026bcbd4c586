"""What a proposal changes in the rows once it is in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cleanroom.governance.audit_log import AuditLog
from cleanroom.governance.proposal_text import (
    Membership,
    ProposalKind,
    ProposalState,
    Removal,
    Rules,
    Template,
    read_content,
)
from cleanroom.governance.room_rows import room_state
from cleanroom.governance.room_state import applied, require_proposable
from cleanroom.governance.tables import (
    CredentialRow,
    DatasetRow,
    InvitationRow,
    MemberRow,
    OidcLinkRow,
    ProposalRow,
    TemplateRow,
    VersionRow,
)
from cleanroom.governance.version_destruction import DestroyedVersion, destroy_version


@dataclass(frozen=True)
class Effect:
    """What has to be done outside the database: unlink these versions' sealed files."""

    destroyed: tuple[DestroyedVersion, ...] = ()


def take_effect(session: Session, audit: AuditLog, row: ProposalRow, *, now: datetime) -> Effect:
    """Carry out an effective proposal within the caller's transaction. Raises Conflict when it no longer fits."""
    content = read_content(ProposalKind(row.kind), row.content)
    state = room_state(session, row.collaboration)
    require_proposable(state, content, row.proposer)  # the proposer's role may have changed meanwhile
    applied(state, content, row.proposer)
    match content:
        case Membership():
            _change_roles(session, row.collaboration, content)
        case Rules():
            _put_rules(session, row, content)
            _follow_retention(session, row, content)
            _supersede(session, row, content.document.dataset, now)
        case Template():
            _put_template(session, row, content)
        case Removal():
            return _remove(session, audit, row, content.member, now)
    return Effect()


def _change_roles(session: Session, collaboration: str, content: Membership) -> None:
    member = session.get(MemberRow, (collaboration, content.member))
    if member is not None:  # otherwise whoever is invited is now awaited
        member.roles = sorted(content.roles)


def _put_rules(session: Session, row: ProposalRow, content: Rules) -> None:
    dataset = session.get(DatasetRow, (row.collaboration, content.document.dataset))
    if dataset is None:
        dataset = DatasetRow(
            collaboration=row.collaboration, name=content.document.dataset, owner=row.proposer, closed=False
        )
        session.add(dataset)
    dataset.rules, dataset.proposal = content.document.canonical(), row.id


def _follow_retention(session: Session, row: ProposalRow, content: Rules) -> None:
    """What is uploaded already lasts as long as the document in force says."""
    days = content.document.rule.retention_days
    versions = session.scalars(
        select(VersionRow).where(
            VersionRow.collaboration == row.collaboration,
            VersionRow.dataset == content.document.dataset,
            VersionRow.deleted.is_(None),
            VersionRow.completed.is_not(None),
        )
    )
    for version in versions:
        if version.completed is not None:
            version.expires = version.completed + timedelta(days=days) if days else None


def _supersede(session: Session, row: ProposalRow, dataset: str, now: datetime) -> None:
    """Older documents that still wait must not undo this newer one."""
    older = session.scalars(
        select(ProposalRow).where(
            ProposalRow.collaboration == row.collaboration,
            ProposalRow.kind == row.kind,
            ProposalRow.state == str(ProposalState.WAITING),
            ProposalRow.sequence < row.sequence,
        )
    )
    for other in older:
        if other.content["document"]["dataset"] == dataset:
            other.state, other.ended = str(ProposalState.SUPERSEDED), now


def _put_template(session: Session, row: ProposalRow, content: Template) -> None:
    template = session.get(TemplateRow, (row.collaboration, content.name))
    if template is None:
        template = TemplateRow(collaboration=row.collaboration, name=content.name)
        session.add(template)
    template.template, template.datasets = dict(content.template), sorted(set(content.datasets))
    template.proposal = row.id


def _remove(session: Session, audit: AuditLog, row: ProposalRow, member: str, now: datetime) -> Effect:
    session.get_one(MemberRow, (row.collaboration, member)).removed = now
    session.execute(
        delete(OidcLinkRow).where(
            OidcLinkRow.collaboration == row.collaboration, OidcLinkRow.member == member
        )
    )
    _end_access(session, row.collaboration, member, now)
    waiting = session.scalars(
        select(ProposalRow).where(
            ProposalRow.collaboration == row.collaboration,
            ProposalRow.proposer == member,
            ProposalRow.state == str(ProposalState.WAITING),
        )
    )
    for other in waiting:
        other.state, other.ended = str(ProposalState.DECLINED), now
    return Effect(_close_datasets(session, audit, row, member, now))


def _end_access(session: Session, collaboration: str, member: str, now: datetime) -> None:
    keys = session.scalars(
        select(CredentialRow).where(
            CredentialRow.collaboration == collaboration, CredentialRow.member == member
        )
    )
    for key in keys:
        key.ended = now if key.ended is None else min(now, key.ended)
    codes = session.scalars(
        select(InvitationRow).where(
            InvitationRow.collaboration == collaboration,
            InvitationRow.issued_by == member,
            InvitationRow.ended.is_(None),
        )
    )
    for code in codes:
        code.ended, code.ended_how = now, "revoked"


def _close_datasets(
    session: Session, audit: AuditLog, row: ProposalRow, member: str, now: datetime
) -> tuple[DestroyedVersion, ...]:
    destroyed: list[DestroyedVersion] = []
    datasets = session.scalars(
        select(DatasetRow).where(DatasetRow.collaboration == row.collaboration, DatasetRow.owner == member)
    )
    for dataset in datasets:
        dataset.closed = True
        versions = session.scalars(
            select(VersionRow).where(
                VersionRow.collaboration == row.collaboration,
                VersionRow.dataset == dataset.name,
                VersionRow.deleted.is_(None),
            )
        )
        for version in list(versions):
            destroyed.append(destroy_version(session, audit, version, actor=row.proposer, now=now))
    return tuple(destroyed)
