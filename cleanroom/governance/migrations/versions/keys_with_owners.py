"""Data keys stay with their owners: wrapped keys go, commitments to keys come, states are named by ids.

Tables that were uploaded before have no key with an owner's broker; the service ends them on its next start, and their
owners upload again. What was released before is sealed under the old worker's key: such a collaboration's memory is
lost, and says so (`difference_memory.require_memory`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Forget every wrapped key."""
    op.drop_table("wrapped_keys")
    op.add_column(
        "dataset_versions",
        sa.Column("key_commitment", sa.String(length=200), nullable=False, server_default=""),
    )
    op.add_column("difference_states", sa.Column("state_id", sa.String(length=200), nullable=True))
    op.add_column("difference_states", sa.Column("pending_id", sa.String(length=200), nullable=True))
    op.add_column("difference_states", sa.Column("pending_sealed", sa.LargeBinary(), nullable=True))
    states = sa.table(
        "difference_states",
        sa.column("state_id"),
        sa.column("sealed", sa.LargeBinary()),
        sa.column("sequence"),
    )
    op.execute(states.update().where(states.c.sequence > 0).values(state_id="lost", sealed=b""))
    op.drop_column("difference_states", "sequence")


def downgrade() -> None:
    """Keys that are forgotten do not come back."""
    raise NotImplementedError("restore the database from a backup made before")
