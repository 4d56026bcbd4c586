"""The tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "audit_checkpoints",
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("collaboration", "sequence"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column("details", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("previous", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("collaboration", "sequence"),
    )
    op.create_table(
        "audit_heads",
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("collaboration"),
    )
    op.create_table(
        "collaborations",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("terms", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("proposals", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("principal", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_digest", sa.String(length=200), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("principal", "key"),
    )
    op.create_table(
        "write_turn", sa.Column("turn", sa.BigInteger(), nullable=False), sa.PrimaryKeyConstraint("turn")
    )
    op.create_table(
        "credentials",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("collaboration", sa.String(length=200), nullable=True),
        sa.Column("member", sa.String(length=200), nullable=True),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_credentials_collaboration", "credentials", ["collaboration"], unique=False)
    op.create_table(
        "dataset_versions",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("manifest", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("sealed_path", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_dataset_versions_collaboration", "dataset_versions", ["collaboration"], unique=False)
    op.create_table(
        "difference_states",
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.PrimaryKeyConstraint("collaboration"),
    )
    op.create_table(
        "members",
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("keys", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("acceptance", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("joined", sa.DateTime(timezone=True), nullable=False),
        sa.Column("joined_event", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.PrimaryKeyConstraint("collaboration", "name"),
    )
    op.create_table(
        "oidc_links",
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("member", sa.String(length=200), nullable=False),
        sa.Column("linked", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.PrimaryKeyConstraint("issuer", "subject", "collaboration"),
    )
    op.create_table(
        "proposals",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("proposer", sa.String(length=200), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("effective_event", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("collaboration", "sequence"),
    )
    op.create_table(
        "queries",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("member", sa.String(length=200), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("plan_digest", sa.String(length=200), nullable=False),
        sa.Column("basis_digest", sa.String(length=200), nullable=False),
        sa.Column("mode", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("datasets", sa.JSON(), nullable=False),
        sa.Column("micro_epsilon", sa.BigInteger(), nullable=False),
        sa.Column("pico_delta", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=200), nullable=False),
        sa.Column("release", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_queries_collaboration", "queries", ["collaboration"], unique=False)
    op.create_index("ix_queries_plan_digest", "queries", ["plan_digest"], unique=False)
    op.create_table(
        "charges",
        sa.Column("query", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("micro_epsilon", sa.BigInteger(), nullable=False),
        sa.Column("pico_delta", sa.BigInteger(), nullable=False),
        sa.Column("charged", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.ForeignKeyConstraint(["query"], ["queries.id"]),
        sa.PrimaryKeyConstraint("query", "dataset"),
    )
    op.create_index("ix_charges_dataset", "charges", ["collaboration", "dataset", "charged"])
    op.create_table(
        "datasets",
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("rules", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("proposal", sa.String(length=200), nullable=False),
        sa.Column("current_version", sa.String(length=200), nullable=True),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.ForeignKeyConstraint(["proposal"], ["proposals.id"]),
        sa.PrimaryKeyConstraint("collaboration", "name"),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("proposal", sa.String(length=200), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("issued_by", sa.String(length=200), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_how", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.ForeignKeyConstraint(["proposal"], ["proposals.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_invitations_collaboration", "invitations", ["collaboration"], unique=False)
    op.create_table(
        "proposal_signatures",
        sa.Column("proposal", sa.String(length=200), nullable=False),
        sa.Column("member", sa.String(length=200), nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("signed", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["proposal"], ["proposals.id"]),
        sa.PrimaryKeyConstraint("proposal", "member"),
    )
    op.create_table(
        "templates",
        sa.Column("collaboration", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("template", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("datasets", sa.JSON(), nullable=False),
        sa.Column("proposal", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["collaboration"], ["collaborations.id"]),
        sa.ForeignKeyConstraint(["proposal"], ["proposals.id"]),
        sa.PrimaryKeyConstraint("collaboration", "name"),
    )
    op.create_table(
        "wrapped_keys",
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["dataset_versions.id"]),
        sa.PrimaryKeyConstraint("version", "holder"),
    )


def downgrade() -> None:
    """Drop every table."""
    for table in (
        "wrapped_keys",
        "templates",
        "proposal_signatures",
        "invitations",
        "datasets",
        "charges",
        "queries",
        "proposals",
        "oidc_links",
        "members",
        "difference_states",
        "dataset_versions",
        "credentials",
        "write_turn",
        "idempotency_keys",
        "collaborations",
        "audit_heads",
        "audit_entries",
        "audit_checkpoints",
    ):
        op.drop_table(table)
