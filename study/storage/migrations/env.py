"""Run by alembic: migrates over the connection, and in the transaction, that it is handed."""

from __future__ import annotations

from alembic import context

from autoresearch.study.storage.models import VERSION_TABLE, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite cannot alter a table, alembic then copies it
)
context.run_migrations()
