"""Architectures across jobs: what was found, on what, and how good it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.models.config import ChannelConfig, Cost
from espalier.search.results import WEIGHTS, Result
from espalier.storage.errors import NotFound
from espalier.storage.tables import ArchitectureRow, ArtifactRow, CandidateRow, FindingRow, JobRow

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


COLUMNS = tuple("architecture" if name == "id" else name for name in Found._fields)


def search(session: Session, wanted: Filter, sort: str, offset: int, limit: int) -> list[Found]:
    """Architectures across all jobs, grouped over seeds; `sort` is accuracy (best first), params, macs or latency."""
    f = FindingRow
    query = sa.select(*(getattr(f, name) for name in COLUMNS))
    for column, value in (
        (f.arch, wanted.arch),
        (f.dataset, wanted.dataset),
        (f.method, wanted.method),
        (f.origin, wanted.origin),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.max_params is not None:
        query = query.where(f.params <= wanted.max_params)
    if wanted.max_macs is not None:
        query = query.where(f.macs <= wanted.max_macs)
    if wanted.min_accuracy is not None:
        query = query.where(f.mean >= wanted.min_accuracy)
    by = {"accuracy": f.mean, "params": f.params, "macs": f.macs, "latency": f.latency_ms}[sort]
    order = (by, f.architecture, f.arm)
    best_first = [column.desc() for column in order] if sort == "accuracy" else order  # as an index has it
    found = session.execute(query.order_by(*best_first).offset(offset).limit(limit))
    return [Found(*row) for row in found]


def config_of(row: ArchitectureRow) -> ChannelConfig:
    """The channel config of a stored architecture."""
    return ChannelConfig.read(row.config)


def cost_of(row: ArchitectureRow) -> Cost:
    """The cost of a stored architecture."""
    return Cost(row.params, row.macs)
