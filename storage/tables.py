"""The tables. Optuna's tables live in the same database; none of these may take one of its names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = sa.JSON().with_variant(JSONB(), "postgresql")
BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite numbers rows by itself for INTEGER only


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment, always aware and always UTC; SQLite itself knows no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """On the way into the database."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """On the way out of it."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Common to all tables: names of constraints, so that migrations can speak of them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dict[str, Any]: Json, datetime: UtcDateTime}  # noqa: RUF012  (SQLAlchemy's own form)


class JobRow(Base):
    """One submitted search and where it stands."""

    __tablename__ = "jobs"

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    """Order of submission: newest first is by falling number."""
    id: Mapped[str] = mapped_column(sa.String(32), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    spec: Mapped[dict[str, Any]]
    question: Mapped[dict[str, Any] | None]
    """What its planner works from; None in jobs of the first release, whose plans were complete."""
    total: Mapped[int]
    """Candidates that its planner has asked for."""
    idempotency_key: Mapped[str | None] = mapped_column(sa.String(255), unique=True)
    request_hash: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None] = mapped_column(sa.String(64))
    lease_until: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    pause_requested: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    priority: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    """Queued jobs with more of it are begun first."""
    error: Mapped[str | None] = mapped_column(sa.Text)
    execution: Mapped[dict[str, Any] | None]
    """How its networks are computed; chosen once, so that every arm is computed alike."""
    latencies: Mapped[dict[str, Any] | None]
    """What running its networks takes, by architecture; measured when all were trained."""
    submitted_by: Mapped[str | None] = mapped_column(sa.String(100))
    """Name of the token; None for the service's own."""


class EventRow(Base):
    """Something that happened to a job. The id is the order in which clients see events."""

    __tablename__ = "job_events"
    __table_args__ = (sa.Index("ix_job_events_kind", "job_id", "kind", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(sa.String(16))
    data: Mapped[dict[str, Any]]


class ArchitectureRow(Base):
    """A channel config by its hash; the same architecture found twice is one row."""

    __tablename__ = "architectures"

    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    arch: Mapped[str] = mapped_column(sa.String(200), index=True)
    config: Mapped[dict[str, Any]]
    params: Mapped[int] = mapped_column(sa.BigInteger)
    macs: Mapped[int] = mapped_column(sa.BigInteger)


class CandidateRow(Base):
    """A candidate of a job and what came of it: a mirror of the job's study, made for queries."""

    __tablename__ = "candidates"
    __table_args__ = (
        sa.Index("ix_candidates_architecture", "architecture", "arm"),
        sa.Index("ix_candidates_key", "key"),
        sa.Index("ix_candidates_position", "job_id", "position"),
        sa.Index("ix_candidates_progress", "job_id", "state", "seconds"),
        sa.Index("ix_candidates_state", "state", "seconds"),
    )

    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    position: Mapped[int]
    """Place in the order in which candidates were asked for."""
    candidate: Mapped[dict[str, Any]]
    dataset: Mapped[str] = mapped_column(sa.String(200))
    arm: Mapped[str | None] = mapped_column(sa.String(32), index=True)
    """Candidates of one arm differ in nothing but the seed."""
    arm_name: Mapped[str | None] = mapped_column(sa.String(500))
    role: Mapped[str | None] = mapped_column(sa.String(16))
    origin: Mapped[str] = mapped_column(sa.String(16))
    method: Mapped[str | None] = mapped_column(sa.String(200))
    budget_metric: Mapped[str | None] = mapped_column(sa.String(16))
    budget_keep: Mapped[float | None]
    seed: Mapped[int]
    init: Mapped[str] = mapped_column(sa.String(16))
    conditions: Mapped[str] = mapped_column(sa.String(32))
    """Hash of recipe and data: accuracies under different ones are not averaged."""
    state: Mapped[str] = mapped_column(sa.String(16))
    """A `CandidateState`."""
    architecture: Mapped[str | None] = mapped_column(sa.ForeignKey("architectures.id"))
    params: Mapped[int | None] = mapped_column(sa.BigInteger)
    macs: Mapped[int | None] = mapped_column(sa.BigInteger)
    holdout: Mapped[float | None]
    accuracy: Mapped[float | None]
    seconds: Mapped[float | None]
    latency_ms: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(sa.Text)
    failure: Mapped[str | None] = mapped_column(sa.String(16))
    """What kind of error that is; None in rows of before it was noted."""
    interrupted: Mapped[float | None]
    """Seconds of trainings that were ended before they had a result."""
    result: Mapped[dict[str, Any] | None]


class MeasurementRow(Base):
    """What comparisons read of a result: few bytes, in one place for each job."""

    __tablename__ = "measurements"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["job_id", "key"],
            ["candidates.job_id", "candidates.key"],
            name="fk_measurements_candidate",
            ondelete="CASCADE",
        ),
        sa.Index("ix_measurements_best", "job_id", "goodness"),
        {"sqlite_with_rowid": False},
    )

    job_id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    position: Mapped[int]
    """Of its candidate."""
    arm: Mapped[str] = mapped_column(sa.String(32))
    role: Mapped[str] = mapped_column(sa.String(16))
    seed: Mapped[int]
    needs: Mapped[dict[str, Any]]
    goodness: Mapped[float]
    """How good it is on the hold-out, so that more is better."""
    brief: Mapped[dict[str, Any]]


class FindingRow(Base):
    """What an architecture showed as the network of one arm, over its seeds in all jobs: what lists are made of."""

    __tablename__ = "findings"
    __table_args__ = (
        *(
            sa.Index(f"ix_findings_{name}", name, "architecture", "arm")
            for name in ("mean", "params", "macs", "latency_ms")
        ),
        {"sqlite_with_rowid": False},
    )

    architecture: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    arm: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    arch: Mapped[str] = mapped_column(sa.String(200))
    dataset: Mapped[str] = mapped_column(sa.String(200))
    arm_name: Mapped[str] = mapped_column(sa.String(500))
    role: Mapped[str] = mapped_column(sa.String(16))
    origin: Mapped[str] = mapped_column(sa.String(16))
    method: Mapped[str | None] = mapped_column(sa.String(200))
    init: Mapped[str] = mapped_column(sa.String(16))
    conditions: Mapped[str] = mapped_column(sa.String(32))
    params: Mapped[int] = mapped_column(sa.BigInteger)
    macs: Mapped[int] = mapped_column(sa.BigInteger)
    latency_ms: Mapped[float | None]
    mean: Mapped[float]
    """Of the accuracies of its seeds; `square` is the mean of their squares."""
    square: Mapped[float]
    n: Mapped[int]
    job_id: Mapped[str] = mapped_column(sa.String(32))
    """One that has it."""


class ArtifactRow(Base):
    """Something that was kept of a candidate's training: its name, and the hash under which the store has it."""

    __tablename__ = "artifacts"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["job_id", "key"],
            ["candidates.job_id", "candidates.key"],
            name="fk_artifacts_candidate",
            ondelete="CASCADE",
        ),
    )

    job_id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    hash: Mapped[str] = mapped_column(sa.String(64), index=True)


class NoticeRow(Base):
    """An end of a job that an address is to be told of, until it was."""

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    ended_at: Mapped[datetime]
    due_at: Mapped[datetime] = mapped_column(index=True)
    attempts: Mapped[int]


class RunnerRow(Base):
    """A runner, and when it last said that it lives."""

    __tablename__ = "runners"

    owner: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    seen_at: Mapped[datetime]


class TokenRow(Base):
    """A token beside the service's own, as a hash."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100), unique=True)
    role: Mapped[str] = mapped_column(sa.String(16))
    hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class GrantRow(Base):
    """Multiply-adds of training that somebody asked for, by a job or an extension of one. It outlives the job."""

    __tablename__ = "grants"
    __table_args__ = (sa.Index("ix_grants_token", "token", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    token: Mapped[str] = mapped_column(sa.String(100))
    """Its name."""
    job_id: Mapped[str] = mapped_column(sa.String(32), index=True)
    at: Mapped[datetime]
    macs: Mapped[float]


class PatternRow(Base):
    """A pattern that a job found. It outlives the job."""

    __tablename__ = "patterns"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(sa.String(32))
    found_at: Mapped[datetime]
    target: Mapped[dict[str, Any]]
    provenance: Mapped[dict[str, Any] | None]
    """None in rows of before it was noted."""
    pattern: Mapped[dict[str, Any]]


class TransferRow(Base):
    """What following a pattern did in a job. It outlives both."""

    __tablename__ = "transfers"

    pattern_id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, index=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    """Among all that was tried in the job."""
    told_at: Mapped[datetime]
    transfer: Mapped[dict[str, Any]]


__all__ = [
    "ArchitectureRow",
    "ArtifactRow",
    "Base",
    "CandidateRow",
    "EventRow",
    "FindingRow",
    "GrantRow",
    "JobRow",
    "MeasurementRow",
    "NoticeRow",
    "PatternRow",
    "RunnerRow",
    "TokenRow",
    "TransferRow",
]
