"""Architectures across jobs: what was found, on what, and how good it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.models.config import ChannelConfig, Cost
from espalier.search.arms import ARMS
from espalier.search.results import WEIGHTS, Result
from espalier.search.states import CandidateState
from espalier.storage.errors import NotFound
from espalier.storage.tables import ArchitectureRow, ArtifactRow, CandidateRow, JobRow

JUDGED = tuple(kind for kind, arm in ARMS.items() if arm.leaves == "notes")
"""Kinds of candidates that are trained to judge widths, and are no result of their own."""
SHORTEST = 6
"""Characters of an architecture's id that may stand for all of it."""


def remember(session: Session, result: Result) -> None:
    """Note a result's architecture, once."""
    if session.get(ArchitectureRow, result.config.id) is None:
        config = result.config
        session.add(
            ArchitectureRow(
                id=config.id,
                arch=config.arch,
                config=config.model_dump(mode="json"),
                params=result.counted.params,
                macs=result.counted.macs,
            )
        )
        session.flush()


def forget_unused(session: Session) -> None:
    """Delete architectures no candidate refers to any more."""
    used = sa.select(CandidateRow.architecture).where(CandidateRow.architecture.is_not(None))
    session.execute(sa.delete(ArchitectureRow).where(ArchitectureRow.id.not_in(used)))


def architecture(session: Session, architecture_id: str) -> tuple[ArchitectureRow, Sequence[CandidateRow]]:
    """An architecture, by its id or its first characters, and every candidate that has it. Raises NotFound."""
    row = session.get(ArchitectureRow, architecture_id) or _begins_with(session, architecture_id)
    query = sa.select(CandidateRow).join(JobRow, JobRow.id == CandidateRow.job_id)
    query = query.where(CandidateRow.architecture == row.id).order_by(JobRow.number, CandidateRow.position)
    return row, session.scalars(query).all()


def _begins_with(session: Session, text: str) -> ArchitectureRow:
    """The one architecture whose id begins so."""
    found: Sequence[ArchitectureRow] = ()
    if len(text) >= SHORTEST:
        query = sa.select(ArchitectureRow).where(ArchitectureRow.id.startswith(text, autoescape=True))
        found = session.scalars(query.limit(2)).all()
    if not found:
        raise NotFound(f"no architecture {text!r}")
    if len(found) > 1:
        raise NotFound(f"more than one architecture begins with {text!r}; give more of its id")
    return found[0]


def weights_of(session: Session, candidates: Sequence[CandidateRow]) -> list[str]:
    """Hashes of the weights that were kept, the best to hand out first: of the newest job, by hold-out accuracy."""
    keys = [row.key for row in candidates]
    query = sa.select(ArtifactRow).where(ArtifactRow.key.in_(keys), ArtifactRow.name == WEIGHTS)
    hashes = {(found.job_id, found.key): found.hash for found in session.scalars(query)}
    kept = [row for row in candidates if (row.job_id, row.key) in hashes]
    jobs = list(dict.fromkeys(row.job_id for row in kept))
    kept.sort(key=lambda row: (jobs.index(row.job_id), row.holdout or 0.0), reverse=True)
    return [hashes[row.job_id, row.key] for row in kept]


class Filter(NamedTuple):
    """What architectures are asked for; None asks for all."""

    arch: str | None = None
    dataset: str | None = None
    method: str | None = None
    origin: str | None = None
    max_params: int | None = None
    max_macs: int | None = None
    min_accuracy: float | None = None


class Found(NamedTuple):
    """One architecture on one data set, its accuracy over seeds."""

    id: str
    arch: str
    dataset: str
    arm: str
    arm_name: str
    role: str
    origin: str
    method: str | None
    init: str
    conditions: str
    params: int
    macs: int
    latency_ms: float | None
    mean: float
    square: float
    n: int
    job_id: str


def search(session: Session, wanted: Filter, sort: str, offset: int, limit: int) -> list[Found]:
    """Architectures across all jobs, grouped over seeds; `sort` is accuracy (best first), params, macs or latency."""
    c, a = CandidateRow, ArchitectureRow
    same = (c.dataset, c.arm, c.arm_name, c.role, c.origin, c.method, c.init, c.conditions)
    # The same candidate in two jobs is one measurement.
    once = (
        sa.select(
            c.key, *same, c.architecture,
            sa.func.max(c.accuracy).label("accuracy"), sa.func.min(c.latency_ms).label("latency_ms"),
            sa.func.min(c.job_id).label("job_id"),
        )
        .where(c.state == CandidateState.SUCCEEDED, c.origin.not_in(JUDGED))
        .group_by(c.key, *same, c.architecture)
        .subquery()
    )  # fmt: skip
    once_by = tuple(once.c[column.key] for column in same)
    mean, latency = sa.func.avg(once.c.accuracy), sa.func.min(once.c.latency_ms)
    query = (
        sa.select(
            a.id, a.arch, *once_by, a.params, a.macs,
            latency, mean, sa.func.avg(once.c.accuracy * once.c.accuracy), sa.func.count(), sa.func.min(once.c.job_id),
        )
        .join(a, a.id == once.c.architecture)
        .group_by(a.id, a.arch, *once_by, a.params, a.macs)
    )  # fmt: skip
    for column, value in (
        (a.arch, wanted.arch),
        (once.c.dataset, wanted.dataset),
        (once.c.method, wanted.method),
        (once.c.origin, wanted.origin),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.max_params is not None:
        query = query.where(a.params <= wanted.max_params)
    if wanted.max_macs is not None:
        query = query.where(a.macs <= wanted.max_macs)
    if wanted.min_accuracy is not None:
        query = query.having(mean >= wanted.min_accuracy)
    order = {"accuracy": mean.desc(), "params": a.params, "macs": a.macs, "latency": latency}[sort]
    ties = (a.id, *once_by)
    return [Found(*row) for row in session.execute(query.order_by(order, *ties).offset(offset).limit(limit))]


def config_of(row: ArchitectureRow) -> ChannelConfig:
    """The channel config of a stored architecture."""
    return ChannelConfig.read(row.config)


def cost_of(row: ArchitectureRow) -> Cost:
    """The cost of a stored architecture."""
    return Cost(row.params, row.macs)
