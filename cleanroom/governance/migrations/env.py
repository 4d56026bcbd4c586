"""What Alembic runs: the steps, on the connection and in the transaction that `migration.migrate` opened."""

from alembic import context

from cleanroom.governance.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
context.run_migrations()
