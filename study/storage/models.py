"""Our tables, beside Optuna's in the same database and told apart by their prefix.

Rows belong to a study by its uuid, which the Optuna study carries as the user attribute `autoresearch`, and to a trial
by Optuna's number: the dashboard's rename gives new ids to both. Times are seconds since the epoch by the database's
clock. What changes is changed by `UPDATE … WHERE` on what was read, so that the loser of a race knows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .money import Money

PREFIX = "autoresearch_"
VERSION_TABLE = f"{PREFIX}version"  # alembic's; Optuna owns `alembic_version`

Json = JSON(none_as_null=True)
Uuid = String(36)
Sha256 = String(64)
Word = String(16)


class Base(DeclarativeBase):
    """Names every constraint, so that a later migration can change it."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Double()}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _of_study(**options: Any) -> Mapped[str]:
    return mapped_column(Uuid, ForeignKey(f"{PREFIX}studies.id", ondelete="CASCADE"), **options)


class StudyRow(Base):
    """A study of ours. `reserved` holds its name only while it is being made or deleted: otherwise Optuna owns it."""

    __tablename__ = f"{PREFIX}studies"

    id: Mapped[str] = mapped_column(Uuid, primary_key=True)
    state: Mapped[str] = mapped_column(Word)  # making, ready, deleting
    reserved: Mapped[str | None] = mapped_column(String(512), unique=True)
    settings: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[float]


class RevisionRow(Base):
    """One text of train.py."""

    __tablename__ = f"{PREFIX}revisions"
    __table_args__ = (UniqueConstraint("study", "position"),)

    study: Mapped[str] = _of_study(primary_key=True)
    sha256: Mapped[str] = mapped_column(Sha256, primary_key=True)
    position: Mapped[int]  # in the order of writing: 0 is revision 0
    parent: Mapped[str | None] = mapped_column(Sha256)
    source: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    hypothesis: Mapped[str] = mapped_column(Text)
    knobs: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    optuna_names: Mapped[dict[str, str]] = mapped_column(Json)
    blocks: Mapped[list[dict[str, str]]] = mapped_column(Json)
    editor: Mapped[str] = mapped_column(Text)
    program: Mapped[str] = mapped_column(Sha256, server_default="")  # rows of 0001's workers have none
    created_at: Mapped[float]


class RunRow(Base):
    """One `optimize` command; it may have several workers."""

    __tablename__ = f"{PREFIX}runs"

    id: Mapped[str] = mapped_column(Uuid, primary_key=True)
    study: Mapped[str] = _of_study(index=True)
    started_at: Mapped[float]
    ended_at: Mapped[float | None]
    deadline: Mapped[float | None]
    trial_limit: Mapped[int | None]
    trials_started: Mapped[int]
    options: Mapped[dict[str, Any]] = mapped_column(Json)


class LeaseRow(Base):
    """One worker process that is alive, or was until a short while ago."""

    __tablename__ = f"{PREFIX}leases"

    worker: Mapped[str] = mapped_column(Uuid, primary_key=True)
    study: Mapped[str] = _of_study(index=True)
    run: Mapped[str] = mapped_column(Uuid, ForeignKey(f"{PREFIX}runs.id", ondelete="CASCADE"))
    host: Mapped[str] = mapped_column(Text)  # where the process number means something
    host_name: Mapped[str] = mapped_column(Text)  # the same, for people
    pid: Mapped[int]
    process_started: Mapped[float]  # tells a process from a later one with its number
    phase: Mapped[str] = mapped_column(Word)
    opened_at: Mapped[float]
    expires_at: Mapped[float]


class ProposalRow(Base):
    """A trial that was decided on. `claim` names the taking of it, and its Optuna trial carries the same name."""

    __tablename__ = f"{PREFIX}proposals"
    __table_args__ = (
        UniqueConstraint("study", "key"),
        ForeignKeyConstraint(
            ["study", "revision"], [f"{PREFIX}revisions.study", f"{PREFIX}revisions.sha256"], ondelete="CASCADE"
        ),
        Index(None, "study", "status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    study: Mapped[str] = _of_study()
    key: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(Word)
    revision: Mapped[str] = mapped_column(Sha256)
    values: Mapped[dict[str, Any]] = mapped_column(Json)
    seed: Mapped[int] = mapped_column(BigInteger)
    incumbent_version: Mapped[int]
    parent: Mapped[int | None]
    title: Mapped[str] = mapped_column(Text)
    system_attrs: Mapped[dict[str, Any]] = mapped_column(Json)
    edit: Mapped[dict[str, Any] | None] = mapped_column(Json)
    error: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Word)  # ready, taken, done, stale
    claim: Mapped[str | None] = mapped_column(Uuid, unique=True)
    worker: Mapped[str | None] = mapped_column(Uuid)
    run: Mapped[str | None] = mapped_column(Uuid)
    number: Mapped[int | None]  # of the trial that came of the claim
    attempts: Mapped[int]  # how often its trial took the worker down with it
    created_at: Mapped[float]


class TrialRow(Base):
    """What became of a claimed proposal; the truth about a trial, of which Optuna's row is a projection."""

    __tablename__ = f"{PREFIX}trials"
    __table_args__ = (
        ForeignKeyConstraint(
            ["study", "revision"], [f"{PREFIX}revisions.study", f"{PREFIX}revisions.sha256"], ondelete="CASCADE"
        ),
        Index(None, "study", "status"),
    )

    study: Mapped[str] = _of_study(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Word)
    status: Mapped[str] = mapped_column(Word)
    revision: Mapped[str] = mapped_column(Sha256)
    values: Mapped[dict[str, Any]] = mapped_column(Json)
    seed: Mapped[int] = mapped_column(BigInteger)
    parent: Mapped[int | None]
    incumbent_version: Mapped[int]
    title: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(String(255))
    worker: Mapped[str] = mapped_column(Uuid)
    run: Mapped[str] = mapped_column(Uuid)
    claim: Mapped[str] = mapped_column(Uuid)
    reason: Mapped[str] = mapped_column(Text, default="")
    tail: Mapped[str] = mapped_column(Text, default="")
    val_bpb: Mapped[float | None]
    test_bpb: Mapped[float | None]
    result: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    pruned: Mapped[bool] = mapped_column(default=False)  # Optuna is told PRUNED, and not FAIL
    vram_excess_gib: Mapped[float | None]
    gain: Mapped[float | None]
    threshold: Mapped[float | None]
    lost_race: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]


class IncumbentRow(Base):
    """What the next trials build on: one row a study, changed by compare-and-set on its version."""

    __tablename__ = f"{PREFIX}incumbents"

    study: Mapped[str] = _of_study(primary_key=True)
    version: Mapped[int]
    number: Mapped[int]
    revision: Mapped[str] = mapped_column(Sha256)
    values: Mapped[dict[str, Any]] = mapped_column(Json)
    val_bpb: Mapped[float]


class PromotionRow(Base):
    """One change of the incumbent."""

    __tablename__ = f"{PREFIX}promotions"
    __table_args__ = (UniqueConstraint("study", "number"),)

    study: Mapped[str] = _of_study(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    val_bpb: Mapped[float]
    gain: Mapped[float]
    threshold: Mapped[float]
    at: Mapped[float]


class RequestRow(Base):
    """One request to a language model; `used` once what its draft led to is written down.

    The long texts come last: SQLite then reads the others, which every reservation sums up, without them.
    """

    __tablename__ = f"{PREFIX}requests"
    __table_args__ = (UniqueConstraint("study", "draft", "position"),)

    id: Mapped[str] = mapped_column(Uuid, primary_key=True)  # made by whoever asks, so that a repetition is none
    study: Mapped[str] = _of_study()
    draft: Mapped[str] = mapped_column(Uuid)
    position: Mapped[int]
    purpose: Mapped[str] = mapped_column(Word)
    state: Mapped[str] = mapped_column(Word)  # sent, answered, failed, lost
    used: Mapped[bool]
    reserved_usd: Mapped[Decimal] = mapped_column("reserved_nanodollars", Money)
    cost_usd: Mapped[Decimal | None] = mapped_column("cost_nanodollars", Money)
    worker: Mapped[str] = mapped_column(Uuid)
    created_at: Mapped[float]
    answered_at: Mapped[float | None]
    model: Mapped[str] = mapped_column(Text)
    program: Mapped[str] = mapped_column(Sha256)
    prompt_sha256: Mapped[str] = mapped_column(Sha256)
    stop_reason: Mapped[str] = mapped_column(Text)
    usage: Mapped[dict[str, Any]] = mapped_column(Json)
    error: Mapped[str] = mapped_column(Text)
    reply: Mapped[str] = mapped_column(Text)
    messages: Mapped[list[dict[str, Any]]] = mapped_column(Json)


class LessonsRow(Base):
    """What a language model noted for itself; the newest is told to it again."""

    __tablename__ = f"{PREFIX}lessons"

    study: Mapped[str] = _of_study(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    trials_seen: Mapped[int]
    created_at: Mapped[float]
    text: Mapped[str] = mapped_column(Text)
