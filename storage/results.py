"""Queries over candidates and architectures, and the one way a candidate's row is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.models.config import ChannelConfig, Cost
from espalier.search.types import Candidate, Outcome, Result
from espalier.storage.errors import NotFound
from espalier.storage.jobs import record
from espalier.storage.tables import ArchitectureRow, CandidateRow, JobRow

SHORTEST = 6
"""Characters of an architecture's id that may stand for all of it."""


def write(session: Session, job_id: str, outcome: Outcome) -> None:
    """Enter what came of a candidate, with its event. Writing it again changes nothing."""
    row = session.get(CandidateRow, (job_id, outcome.key))
    if row is None or row.state in ("succeeded", "failed"):
        return
    if isinstance(outcome, Result):
        _remember_architecture(session, outcome)
        row.state = "succeeded"
        row.architecture = outcome.config.id
        row.params, row.macs = outcome.cost
        row.holdout, row.accuracy, row.seconds = outcome.holdout, outcome.accuracy, outcome.seconds
        row.latency_ms, row.weights = outcome.latency_ms, outcome.weights
        row.result = outcome.model_dump(mode="json")
        what: dict[str, Any] = {"what": "finished", "accuracy": outcome.accuracy, "seconds": outcome.seconds}
    else:
        row.state, row.error = "failed", outcome.error
        what = {"what": "failed", "error": outcome.error}
    record(session, job_id, "candidate", {"candidate": outcome.key, "label": label(row), **what})


def start(session: Session, job_id: str, key: str) -> None:
    """Note that a candidate runs."""
    row = session.get_one(CandidateRow, (job_id, key))
    row.state, row.error = "running", None
    record(session, job_id, "candidate", {"candidate": key, "label": label(row), "what": "started"})


def label(row: CandidateRow) -> str:
    """A candidate in a few words."""
    return Candidate.model_validate(row.candidate).label


def _remember_architecture(session: Session, result: Result) -> None:
    if session.get(ArchitectureRow, result.config.id) is None:
        config = result.config
        session.add(
            ArchitectureRow(
                id=config.id,
                arch=config.arch,
                config=config.model_dump(mode="json"),
                params=result.cost.params,
                macs=result.cost.macs,
            )
        )
        session.flush()


def rows(session: Session, job_id: str) -> Sequence[CandidateRow]:
    """All candidates of a job, in the order of its plan."""
    return session.scalars(
        sa.select(CandidateRow).where(CandidateRow.job_id == job_id).order_by(CandidateRow.position)
    ).all()


def page(session: Session, job_id: str, offset: int, limit: int) -> Sequence[CandidateRow]:
    """Candidates of a job from place `offset` of its plan on."""
    query = sa.select(CandidateRow).where(CandidateRow.job_id == job_id, CandidateRow.position >= offset)
    return session.scalars(query.order_by(CandidateRow.position).limit(limit)).all()


def outcomes(session: Session, job_id: str) -> list[tuple[Candidate, Result]]:
    """The candidates of a job that have a result."""
    return [(Candidate.model_validate(row.candidate), _result(row)) for row in rows(session, job_id) if row.result]


def _result(row: CandidateRow) -> Result:
    return Result.model_validate(row.result)


def known(session: Session, job_id: str) -> list[Result]:
    """Results that other jobs have for what this one has yet to train: same key, same numbers, no second training."""
    mine = sa.select(CandidateRow.key).where(CandidateRow.job_id == job_id, CandidateRow.state == "queued")
    theirs = sa.select(CandidateRow).where(CandidateRow.key.in_(mine), CandidateRow.state == "succeeded")
    found = {row.key: _result(row) for row in session.scalars(theirs)}
    return list(found.values())


class Progress(NamedTuple):
    """How far a job is."""

    done: int
    running: int
    total: int
    seconds: float
    """Training time of what is done."""


def progress(session: Session, job_ids: Sequence[str]) -> dict[str, Progress]:
    """Progress of several jobs in one query."""
    state = CandidateRow.state
    query = (
        sa.select(
            CandidateRow.job_id,
            sa.func.count().filter(state.in_(("succeeded", "failed"))),
            sa.func.count().filter(state == "running"),
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(CandidateRow.seconds), 0.0),
        )
        .where(CandidateRow.job_id.in_(job_ids))
        .group_by(CandidateRow.job_id)
    )
    return {
        job: Progress(done, running, total, seconds or 0.0)
        for job, done, running, total, seconds in session.execute(query)
    }


def weights_of(session: Session, job_id: str) -> set[str]:
    """Weights that a job refers to."""
    mine = sa.select(CandidateRow.weights).where(CandidateRow.job_id == job_id, CandidateRow.weights.is_not(None))
    return {str(name) for name in session.scalars(mine)}


def referenced_weights(session: Session, names: Collection[str]) -> set[str]:
    """Those of these weights that some candidate refers to."""
    return {
        str(name) for name in session.scalars(sa.select(CandidateRow.weights).where(CandidateRow.weights.in_(names)))
    }


def forget_unused_architectures(session: Session) -> None:
    """Delete architectures no candidate refers to any more."""
    used = sa.select(CandidateRow.architecture).where(CandidateRow.architecture.is_not(None))
    session.execute(sa.delete(ArchitectureRow).where(ArchitectureRow.id.not_in(used)))


# --- architectures across jobs --------------------------------------------------------------------------------------


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


def best_weights(candidates: Sequence[CandidateRow]) -> str | None:
    """The weights to hand out: of the newest job that kept some, the most accurate on the holdout."""
    kept = [row for row in candidates if row.weights is not None]
    newest = [row for row in kept if row.job_id == kept[-1].job_id]
    return max(newest, key=lambda row: row.holdout or 0.0).weights if newest else None


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
    # The same candidate in two jobs is one measurement.
    once = (
        sa.select(
            c.key, c.architecture, c.dataset, c.origin, c.method, c.init, c.conditions,
            sa.func.max(c.accuracy).label("accuracy"), sa.func.min(c.latency_ms).label("latency_ms"),
            sa.func.min(c.job_id).label("job_id"),
        )
        .where(c.state == "succeeded")
        .group_by(c.key, c.architecture, c.dataset, c.origin, c.method, c.init, c.conditions)
        .subquery()
    )  # fmt: skip
    once_by = (once.c.dataset, once.c.origin, once.c.method, once.c.init, once.c.conditions)
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
    return ChannelConfig.model_validate(row.config)


def cost_of(row: ArchitectureRow) -> Cost:
    """The cost of a stored architecture."""
    return Cost(row.params, row.macs)
