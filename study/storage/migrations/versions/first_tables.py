"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table, those that others refer to first."""
    _studies()
    _revisions()
    _runs()
    _leases()
    _proposals()
    _trials()
    _incumbents()
    _promotions()


def _json() -> sa.JSON:
    return sa.JSON(none_as_null=True)


def _column(name: str, kind: Any, *, nullable: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable, **options)


def _of_study(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_autoresearch_{table}_study"
    return sa.ForeignKeyConstraint(["study"], ["autoresearch_studies.id"], name=name, ondelete="CASCADE")


def _of_revision(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["study", "revision"],
        ["autoresearch_revisions.study", "autoresearch_revisions.sha256"],
        name=f"fk_autoresearch_{table}_study_revision",
        ondelete="CASCADE",
    )


def _studies() -> None:
    op.create_table(
        "autoresearch_studies",
        _column("id", sa.String(36)),
        _column("state", sa.String(16)),
        _column("reserved", sa.String(512), nullable=True),
        _column("settings", _json()),
        _column("created_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_autoresearch_studies"),
        sa.UniqueConstraint("reserved", name="uq_autoresearch_studies_reserved"),
    )


def _revisions() -> None:
    op.create_table(
        "autoresearch_revisions",
        _column("study", sa.String(36)),
        _column("sha256", sa.String(64)),
        _column("position", sa.Integer()),
        _column("parent", sa.String(64), nullable=True),
        _column("source", sa.Text()),
        _column("title", sa.Text()),
        _column("hypothesis", sa.Text()),
        _column("knobs", _json()),
        _column("optuna_names", _json()),
        _column("blocks", _json()),
        _column("editor", sa.Text()),
        _column("created_at", sa.Double()),
        sa.PrimaryKeyConstraint("study", "sha256", name="pk_autoresearch_revisions"),
        sa.UniqueConstraint("study", "position", name="uq_autoresearch_revisions_study_position"),
        _of_study("revisions"),
    )


def _runs() -> None:
    op.create_table(
        "autoresearch_runs",
        _column("id", sa.String(36)),
        _column("study", sa.String(36)),
        _column("started_at", sa.Double()),
        _column("ended_at", sa.Double(), nullable=True),
        _column("deadline", sa.Double(), nullable=True),
        _column("trial_limit", sa.Integer(), nullable=True),
        _column("trials_started", sa.Integer()),
        _column("options", _json()),
        sa.PrimaryKeyConstraint("id", name="pk_autoresearch_runs"),
        _of_study("runs"),
    )
    op.create_index("ix_autoresearch_runs_study", "autoresearch_runs", ["study"])


def _leases() -> None:
    op.create_table(
        "autoresearch_leases",
        _column("worker", sa.String(36)),
        _column("study", sa.String(36)),
        _column("run", sa.String(36)),
        _column("host", sa.Text()),
        _column("host_name", sa.Text()),
        _column("pid", sa.Integer()),
        _column("process_started", sa.Double()),
        _column("phase", sa.String(16)),
        _column("opened_at", sa.Double()),
        _column("expires_at", sa.Double()),
        sa.PrimaryKeyConstraint("worker", name="pk_autoresearch_leases"),
        sa.ForeignKeyConstraint(
            ["run"], ["autoresearch_runs.id"], name="fk_autoresearch_leases_run", ondelete="CASCADE"
        ),
        _of_study("leases"),
    )
    op.create_index("ix_autoresearch_leases_study", "autoresearch_leases", ["study"])


def _proposals() -> None:
    op.create_table(
        "autoresearch_proposals",
        _column("id", sa.Integer(), autoincrement=True),
        _column("study", sa.String(36)),
        _column("key", sa.String(255)),
        _column("kind", sa.String(16)),
        _column("revision", sa.String(64)),
        _column("values", _json()),
        _column("seed", sa.BigInteger()),
        _column("incumbent_version", sa.Integer()),
        _column("parent", sa.Integer(), nullable=True),
        _column("title", sa.Text()),
        _column("system_attrs", _json()),
        _column("edit", _json(), nullable=True),
        _column("error", sa.Text()),
        _column("status", sa.String(16)),
        _column("claim", sa.String(36), nullable=True),
        _column("worker", sa.String(36), nullable=True),
        _column("run", sa.String(36), nullable=True),
        _column("number", sa.Integer(), nullable=True),
        _column("attempts", sa.Integer()),
        _column("created_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_autoresearch_proposals"),
        sa.UniqueConstraint("claim", name="uq_autoresearch_proposals_claim"),
        sa.UniqueConstraint("study", "key", name="uq_autoresearch_proposals_study_key"),
        _of_study("proposals"),
        _of_revision("proposals"),
    )
    op.create_index("ix_autoresearch_proposals_study_status", "autoresearch_proposals", ["study", "status"])


def _trials() -> None:
    op.create_table(
        "autoresearch_trials",
        _column("study", sa.String(36)),
        _column("number", sa.Integer(), autoincrement=False),
        _column("kind", sa.String(16)),
        _column("status", sa.String(16)),
        _column("revision", sa.String(64)),
        _column("values", _json()),
        _column("seed", sa.BigInteger()),
        _column("parent", sa.Integer(), nullable=True),
        _column("incumbent_version", sa.Integer()),
        _column("title", sa.Text()),
        _column("key", sa.String(255)),
        _column("worker", sa.String(36)),
        _column("run", sa.String(36)),
        _column("claim", sa.String(36)),
        _column("reason", sa.Text()),
        _column("tail", sa.Text()),
        _column("val_bpb", sa.Double(), nullable=True),
        _column("test_bpb", sa.Double(), nullable=True),
        _column("result", _json()),
        _column("pruned", sa.Boolean()),
        _column("vram_excess_gib", sa.Double(), nullable=True),
        _column("gain", sa.Double(), nullable=True),
        _column("threshold", sa.Double(), nullable=True),
        _column("lost_race", sa.Boolean()),
        _column("created_at", sa.Double()),
        _column("started_at", sa.Double(), nullable=True),
        _column("finished_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("study", "number", name="pk_autoresearch_trials"),
        _of_study("trials"),
        _of_revision("trials"),
    )
    op.create_index("ix_autoresearch_trials_study_status", "autoresearch_trials", ["study", "status"])


def _incumbents() -> None:
    op.create_table(
        "autoresearch_incumbents",
        _column("study", sa.String(36)),
        _column("version", sa.Integer()),
        _column("number", sa.Integer()),
        _column("revision", sa.String(64)),
        _column("values", _json()),
        _column("val_bpb", sa.Double()),
        sa.PrimaryKeyConstraint("study", name="pk_autoresearch_incumbents"),
        _of_study("incumbents"),
    )


def _promotions() -> None:
    op.create_table(
        "autoresearch_promotions",
        _column("study", sa.String(36)),
        _column("version", sa.Integer(), autoincrement=False),
        _column("number", sa.Integer()),
        _column("val_bpb", sa.Double()),
        _column("gain", sa.Double()),
        _column("threshold", sa.Double()),
        _column("at", sa.Double()),
        sa.PrimaryKeyConstraint("study", "version", name="pk_autoresearch_promotions"),
        sa.UniqueConstraint("study", "number", name="uq_autoresearch_promotions_study_number"),
        _of_study("promotions"),
    )
