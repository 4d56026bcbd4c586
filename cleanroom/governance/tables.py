"""Every table of the service's database. What members own is sealed elsewhere; here are its names and prices."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy import BigInteger as Big
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """A moment. Naive values are refused; SQLite, which has no zones, holds UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Root of all tables."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own name for it
        datetime: UtcTime(),
        date: Date(),
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON(),
        bytes: LargeBinary(),
        str: String(200),
        int: Big(),
    }


class WriteTurn(Table):
    """Holds nothing: PostgreSQL's writers take turns by locking it, as SQLite's do by its file."""

    __tablename__ = "write_turn"
    turn: Mapped[int] = mapped_column(primary_key=True)


class CollaborationRow(Table):
    """One collaboration. `proposals` and `events` count what was proposed and what took effect."""

    __tablename__ = "collaborations"
    id: Mapped[str] = mapped_column(primary_key=True)
    terms: Mapped[dict[str, Any]]
    proposals: Mapped[int] = mapped_column(default=0)
    events: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime]


class MemberRow(Table):
    """A party in a collaboration. The row of a removed member stays: its old signatures must stay readable."""

    __tablename__ = "members"
    collaboration: Mapped[str] = mapped_column(ForeignKey("collaborations.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    roles: Mapped[list[str]]
    keys: Mapped[dict[str, Any]]
    acceptance: Mapped[dict[str, Any] | None]
    joined: Mapped[datetime]
    joined_event: Mapped[int]
    removed: Mapped[datetime | None]


class InvitationRow(Table):
    """A one-time code that lets somebody become the member that all owners signed for."""

    __tablename__ = "invitations"
    id: Mapped[str] = mapped_column(primary_key=True)
    collaboration: Mapped[str] = mapped_column(ForeignKey("collaborations.id"), index=True)
    proposal: Mapped[str] = mapped_column(ForeignKey("proposals.id"))
    code_hash: Mapped[bytes]
    issued_by: Mapped[str]
    created: Mapped[datetime]
    expires: Mapped[datetime]
    ended: Mapped[datetime | None]
    ended_how: Mapped[str] = mapped_column(default="")


class ProposalRow(Table):
    """Something owners sign before it takes effect."""

    __tablename__ = "proposals"
    __table_args__ = (UniqueConstraint("collaboration", "sequence"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    collaboration: Mapped[str] = mapped_column(ForeignKey("collaborations.id"))
    sequence: Mapped[int]
    kind: Mapped[str]
    proposer: Mapped[str]
    content: Mapped[dict[str, Any]]
    state: Mapped[str]
    created: Mapped[datetime]
    ended: Mapped[datetime | None]
    effective_event: Mapped[int | None]


class SignatureRow(Table):
    """One member's signed document on one proposal."""

    __tablename__ = "proposal_signatures"
    proposal: Mapped[str] = mapped_column(ForeignKey("proposals.id"), primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    signed: Mapped[datetime]


class CredentialRow(Table):
    """An API key, operator's key or founding code; only a keyed hash of it is here."""

    __tablename__ = "credentials"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    collaboration: Mapped[str | None] = mapped_column(ForeignKey("collaborations.id"), index=True)
    member: Mapped[str | None]
    label: Mapped[str]
    key_hash: Mapped[bytes]
    created: Mapped[datetime]
    expires: Mapped[datetime]
    ended: Mapped[datetime | None]
    last_used: Mapped[date | None]


class OidcLinkRow(Table):
    """A person of an identity provider who acts as a member."""

    __tablename__ = "oidc_links"
    issuer: Mapped[str] = mapped_column(String(500), primary_key=True)
    subject: Mapped[str] = mapped_column(String(500), primary_key=True)
    collaboration: Mapped[str] = mapped_column(ForeignKey("collaborations.id"), primary_key=True)
    member: Mapped[str]
    linked: Mapped[datetime]


class DatasetRow(Table):
    """A dataset's name, owner and rules in force. A closed one's name stays taken, and so do its charges."""

    __tablename__ = "datasets"
    collaboration: Mapped[str] = mapped_column(ForeignKey("collaborations.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    rules: Mapped[dict[str, Any]]
    proposal: Mapped[str] = mapped_column(ForeignKey("proposals.id"))
    current_version: Mapped[str | None]
    closed: Mapped[bool] = mapped_column(default=False)


class VersionRow(Table):
    """One upload of a dataset. After its deletion the row, the manifest and the commitment to its key stay."""

    __tablename__ = "dataset_versions"
    id: Mapped[str] = mapped_column(primary_key=True)
    collaboration: Mapped[str] = mapped_column(ForeignKey("collaborations.id"), index=True)
    dataset: Mapped[str]
    state: Mapped[str]
    manifest: Mapped[dict[str, Any]]
    sealed_path: Mapped[str] = mapped_column(Text)
    key_commitment: Mapped[str] = mapped_column(default="", server_default="")
    created: Mapped[datetime]
    completed: Mapped[datetime | None]
    expires: Mapped[datetime | None]
    deleted: Mapped[datetime | None]


class TemplateRow(Table):
    """A query with parameters that the owners of all datasets in it have approved."""

    __tablename__ = "templates"
    collaboration: Mapped[str] = mapped_column(ForeignKey("collaborations.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    template: Mapped[dict[str, Any]]
    datasets: Mapped[list[str]]
    proposal: Mapped[str] = mapped_column(ForeignKey("proposals.id"))


class QueryRow(Table):
    """A query that was charged, and its release once there is one."""

    __tablename__ = "queries"
    id: Mapped[str] = mapped_column(primary_key=True)
    collaboration: Mapped[str] = mapped_column(ForeignKey("collaborations.id"), index=True)
    member: Mapped[str]
    question: Mapped[str] = mapped_column(Text)
    plan_digest: Mapped[str] = mapped_column(index=True)
    basis_digest: Mapped[str]
    mode: Mapped[str]
    state: Mapped[str]
    datasets: Mapped[list[str]]
    micro_epsilon: Mapped[int]
    pico_delta: Mapped[int]
    asked: Mapped[datetime]
    ended: Mapped[datetime | None]
    failure: Mapped[str] = mapped_column(default="")
    release: Mapped[dict[str, Any] | None]


class ChargeRow(Table):
    """What one query cost one dataset. Never changed, never removed."""

    __tablename__ = "charges"
    __table_args__ = (Index("ix_charges_dataset", "collaboration", "dataset", "charged"),)
    query: Mapped[str] = mapped_column(ForeignKey("queries.id"), primary_key=True)
    dataset: Mapped[str] = mapped_column(primary_key=True)
    collaboration: Mapped[str] = mapped_column(ForeignKey("collaborations.id"))
    micro_epsilon: Mapped[int]
    pico_delta: Mapped[int]
    charged: Mapped[datetime]


class DifferenceStateRow(Table):
    """What workers remember of a collaboration's releases, sealed under the owners' key, and what was prepared."""

    __tablename__ = "difference_states"
    collaboration: Mapped[str] = mapped_column(ForeignKey("collaborations.id"), primary_key=True)
    state_id: Mapped[str | None]
    sealed: Mapped[bytes]
    pending_id: Mapped[str | None]
    pending_sealed: Mapped[bytes | None]


class IdempotencyRow(Table):
    """A request that its sender may repeat, and what it was answered."""

    __tablename__ = "idempotency_keys"
    principal: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_digest: Mapped[str]
    status: Mapped[int | None]
    body: Mapped[dict[str, Any] | None]
    created: Mapped[datetime]


class AuditHeadRow(Table):
    """The newest entry of one audit log."""

    __tablename__ = "audit_heads"
    collaboration: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int]
    digest: Mapped[str]


class AuditEntryRow(Table):
    """One entry of an audit log, chained to the one before it."""

    __tablename__ = "audit_entries"
    collaboration: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str]
    details: Mapped[dict[str, Any]]
    previous: Mapped[str]
    digest: Mapped[str]


class AuditCheckpointRow(Table):
    """The service's signature on an audit log's head."""

    __tablename__ = "audit_checkpoints"
    collaboration: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
