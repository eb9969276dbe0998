"""Requests to language models, their lessons, and the instructions that a revision was made with."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables and a column, which a worker of the version before does not know and need not fill."""
    op.add_column("autoresearch_revisions", _column("program", sa.String(64), server_default=""))
    _requests()
    _lessons()


def _column(name: str, kind: Any, *, nullable: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable, **options)


def _of_study(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_autoresearch_{table}_study"
    return sa.ForeignKeyConstraint(["study"], ["autoresearch_studies.id"], name=name, ondelete="CASCADE")


def _requests() -> None:
    op.create_table(
        "autoresearch_requests",
        _column("id", sa.String(36)),
        _column("study", sa.String(36)),
        _column("draft", sa.String(36)),
        _column("position", sa.Integer()),
        _column("purpose", sa.String(16)),
        _column("state", sa.String(16)),
        _column("used", sa.Boolean()),
        _column("reserved_nanodollars", sa.BigInteger()),
        _column("cost_nanodollars", sa.BigInteger(), nullable=True),
        _column("worker", sa.String(36)),
        _column("created_at", sa.Double()),
        _column("answered_at", sa.Double(), nullable=True),
        _column("model", sa.Text()),
        _column("program", sa.String(64)),
        _column("prompt_sha256", sa.String(64)),
        _column("stop_reason", sa.Text()),
        _column("usage", sa.JSON(none_as_null=True)),
        _column("error", sa.Text()),
        _column("reply", sa.Text()),
        _column("messages", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("id", name="pk_autoresearch_requests"),
        sa.UniqueConstraint("study", "draft", "position", name="uq_autoresearch_requests_study_draft_position"),
        _of_study("requests"),
    )


def _lessons() -> None:
    op.create_table(
        "autoresearch_lessons",
        _column("study", sa.String(36)),
        _column("number", sa.Integer(), autoincrement=False),
        _column("trials_seen", sa.Integer()),
        _column("created_at", sa.Double()),
        _column("text", sa.Text()),
        sa.PrimaryKeyConstraint("study", "number", name="pk_autoresearch_lessons"),
        _of_study("lessons"),
    )
