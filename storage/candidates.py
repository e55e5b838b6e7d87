"""Candidates of jobs: one state machine in one table of transitions, and the one way their rows are written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from espalier.models.document import content_hash
from espalier.search.candidates import Candidate
from espalier.search.events import CandidateFailed, CandidateFinished, CandidateStarted
from espalier.search.results import Outcome, Result
from espalier.search.spec import Budget
from espalier.search.states import ENDED, CandidateState
from espalier.storage import architectures, findings, measurements
from espalier.storage.errors import WrongState
from espalier.storage.events import record
from espalier.storage.tables import ArtifactRow, CandidateRow, EventRow, JobRow, MeasurementRow

QUEUED, RUNNING, SUCCEEDED, FAILED = CandidateState

TRANSITIONS: Mapping[str, tuple[frozenset[CandidateState], CandidateState]] = {
    "start": (frozenset({QUEUED, SUCCEEDED}), RUNNING),  # succeeded: what others need of it was lost
    "succeed": (frozenset({QUEUED, RUNNING}), SUCCEEDED),  # queued: another job had the result
    "fail": (frozenset({QUEUED, RUNNING}), FAILED),  # queued: what it needs failed
    "interrupt": (frozenset({RUNNING}), QUEUED),  # its runner is gone
    "retry": (frozenset({FAILED}), QUEUED),
}
"""Verb -> (states it may be said in, the state it leads to)."""


def add(session: Session, job: JobRow, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Write down what a job's planner asks for; those that are new, in order."""
    known = keys(session, job.id)
    new = [candidate for candidate in candidates if candidate.key not in known]
    session.add_all(_row(job.id, position, one) for position, one in enumerate(new, start=len(known)))
    job.total = len(known) + len(new)
    session.flush()
    return new


def keys(session: Session, job_id: str) -> set[str]:
    """Of all candidates of a job."""
    return set(session.scalars(sa.select(CandidateRow.key).where(CandidateRow.job_id == job_id)))


def releases(session: Session, job_id: str) -> set[str]:
    """That made the results of a job."""
    made_by = CandidateRow.result["made_by"]["espalier"].as_string()
    found = sa.select(made_by).where(CandidateRow.job_id == job_id, CandidateRow.state == SUCCEEDED).distinct()
    return {release for release in session.scalars(found) if release}


def _row(job_id: str, position: int, candidate: Candidate) -> CandidateRow:
    return CandidateRow(
        job_id=job_id,
        key=candidate.key,
        position=position,
        candidate=candidate.model_dump(mode="json"),
        state=QUEUED,
        **columns(candidate),
    )


def columns(candidate: Candidate) -> dict[str, Any]:
    """What queries ask of a candidate; all of it follows from the candidate itself."""
    budget = candidate.budget
    return {
        "dataset": candidate.target.dataset_name,
        "arm": candidate.arm.id,
        "arm_name": candidate.arm.name,
        "role": candidate.arm.role,
        "origin": candidate.origin.kind,
        "method": candidate.method,
        "budget_metric": budget.metric if budget else None,
        "budget_keep": budget.keep if isinstance(budget, Budget) else None,
        "seed": candidate.seed,
        "init": candidate.init,
        "conditions": content_hash({"recipe": candidate.recipe.model_dump(mode="json"), "data": candidate.data}),
    }


def candidate_of(row: CandidateRow) -> Candidate:
    """A candidate as it was written down."""
    return Candidate.stored(row.candidate, row.key, row.arm)


def result_of(row: CandidateRow) -> Result | None:
    """What came of a candidate, if it was trained."""
    return None if row.result is None else Result.read(row.result)


# --- changes --------------------------------------------------------------------------------------------------------


def start(session: Session, job_id: str, candidate: Candidate) -> None:
    """Note that a candidate runs. Raises WrongState."""
    _move(session, job_id, candidate.key, "start", error=None)
    record(session, job_id, CandidateStarted(candidate=candidate.key, label=candidate.label))


def interrupt(session: Session, job_id: str, candidate: Candidate) -> None:
    """Note that a candidate runs no longer, and will run again."""
    _move(session, job_id, candidate.key, "interrupt")


def write(session: Session, job_id: str, outcome: Outcome, taken_over: bool = False) -> None:
    """Enter what came of a candidate, with its event, which says whether another job had trained it. Writing it again
    changes nothing."""
    row = session.get(CandidateRow, (job_id, outcome.key))
    if row is None or row.state in ENDED:
        return
    candidate, before = candidate_of(row), row.architecture  # which it has if it was trained once already
    told = {"candidate": row.key, "label": candidate.label}
    if isinstance(outcome, Result):
        architectures.remember(session, outcome)
        _move(session, job_id, row.key, "succeed", **_measured(outcome))
        _keep(session, job_id, outcome)
        measurements.remember(session, row, candidate, outcome)
        measured = {"accuracy": outcome.reported, "seconds": outcome.seconds, "taken_over": taken_over}
        record(session, job_id, CandidateFinished.model_validate(told | measured))
    else:
        _move(session, job_id, row.key, "fail", error=outcome.error, failure=outcome.kind)
        record(session, job_id, CandidateFailed(**told, error=outcome.error, failure=outcome.kind))
    session.refresh(row)
    findings.refresh(session, {(one, candidate.arm.id) for one in (before, row.architecture) if one is not None})


def correct_latencies(session: Session, job_id: str, milliseconds: Mapping[str, float]) -> None:
    """Note what running a job's networks takes, by architecture, in the place of what was measured beside trainings."""
    for architecture, latency in milliseconds.items():
        own = sa.and_(CandidateRow.job_id == job_id, CandidateRow.architecture == architecture)
        session.execute(sa.update(CandidateRow).where(own).values(latency_ms=latency))
    findings.refresh(session, findings.places_of(session, job_id))


def _measured(result: Result) -> dict[str, Any]:
    return {
        "architecture": result.config.id,
        "params": result.counted.params,
        "macs": result.counted.macs,
        "holdout": result.chosen_by,
        "accuracy": result.reported,
        "seconds": result.seconds,
        "latency_ms": result.latency_ms,
        "result": result.model_dump(mode="json"),
    }


def _keep(session: Session, job_id: str, result: Result) -> None:
    """What the result refers to; anything from before is forgotten."""
    session.execute(sa.delete(ArtifactRow).where(ArtifactRow.job_id == job_id, ArtifactRow.key == result.key))
    session.add_all(
        ArtifactRow(job_id=job_id, key=result.key, name=name, hash=hash) for name, hash in result.artifacts.items()
    )


def _move(session: Session, job_id: str, key: str, verb: str, **values: Any) -> None:
    """Say a verb of one candidate. Raises WrongState if it is in none of the verb's states."""
    if not _moved(session, CandidateRow.key == key, job_id, verb, **values):
        row = session.get(CandidateRow, (job_id, key))
        state = row.state if row else "not of this job"
        raise WrongState(f"candidate {key} is {state}, and cannot {verb}")


def move_all(session: Session, job_id: str, verb: str, **values: Any) -> None:
    """Say a verb of every candidate of a job that is in one of its states."""
    _moved(session, sa.true(), job_id, verb, **values)


def _moved(session: Session, which: sa.ColumnElement[bool], job_id: str, verb: str, **values: Any) -> int:
    sources, target = TRANSITIONS[verb]
    states = CandidateRow.state.in_(sources)
    change = sa.update(CandidateRow).where(CandidateRow.job_id == job_id, which, states)
    return int(session.execute(change.values(state=target, **values)).rowcount)  # type: ignore[attr-defined]


# --- queries --------------------------------------------------------------------------------------------------------


def rows(session: Session, job_id: str) -> Sequence[CandidateRow]:
    """All candidates of a job, in the order in which they were asked for."""
    return session.scalars(
        sa.select(CandidateRow).where(CandidateRow.job_id == job_id).order_by(CandidateRow.position)
    ).all()


def page(session: Session, job_id: str, offset: int, limit: int) -> Sequence[CandidateRow]:
    """Candidates of a job from place `offset` on."""
    query = sa.select(CandidateRow).where(CandidateRow.job_id == job_id, CandidateRow.position >= offset)
    return session.scalars(query.order_by(CandidateRow.position).limit(limit)).all()


def in_state(session: Session, job_id: str, state: CandidateState, limit: int | None = None) -> Sequence[CandidateRow]:
    """Those of a job that are in a state, or the first of them, in the order in which they were asked for."""
    query = sa.select(CandidateRow).where(CandidateRow.job_id == job_id, CandidateRow.state == state)
    return session.scalars(query.order_by(CandidateRow.position).limit(limit)).all()


def counts(session: Session, job_id: str) -> dict[CandidateState, int]:
    """How many of a job are in each state; states that none is in are left out."""
    found = sa.select(CandidateRow.state, sa.func.count().label("number")).where(CandidateRow.job_id == job_id)
    known = {row.state: row.number for row in session.execute(found.group_by(CandidateRow.state))}
    return {state: known[state] for state in CandidateState if state in known}


def results(session: Session, job_id: str, keys: Collection[str] | None = None) -> dict[str, Result]:
    """The whole results of a job, or of these candidates of it, by key. For comparisons, `measurements` are enough."""
    query = sa.select(CandidateRow).where(CandidateRow.job_id == job_id, CandidateRow.result.is_not(None))
    if keys is not None:
        query = query.where(CandidateRow.key.in_(keys))
    found = ((row.key, result_of(row)) for row in session.scalars(query.order_by(CandidateRow.position)))
    return {key: result for key, result in found if result is not None}


def failed(session: Session, job_id: str) -> list[Candidate]:
    """The candidates of a job that failed."""
    return [candidate_of(row) for row in in_state(session, job_id, FAILED)]


def known(session: Session, job_id: str) -> list[Result]:
    """Results that other jobs have for what this one has yet to train: same key, same numbers, no second training."""
    mine = sa.select(CandidateRow.key).where(CandidateRow.job_id == job_id, CandidateRow.state == QUEUED)
    theirs = sa.select(CandidateRow).where(CandidateRow.key.in_(mine), CandidateRow.state == SUCCEEDED)
    found = {row.key: result_of(row) for row in session.scalars(theirs)}
    return [result for result in found.values() if result is not None]


class Progress(NamedTuple):
    """How far a job is."""

    done: int
    running: int
    total: int
    seconds: float
    """Training time of what is done."""
    failed: int = 0
    """Of what is done."""


def progress(session: Session, job_ids: Sequence[str]) -> dict[str, Progress]:
    """Progress of several jobs in one query."""
    c = CandidateRow
    each = sa.select(c.job_id, c.state, sa.func.count(), sa.func.sum(c.seconds)).where(c.job_id.in_(job_ids))
    found: dict[str, dict[str, tuple[int, float]]] = {}
    for job_id, state, number, seconds in session.execute(each.group_by(c.job_id, c.state)):  # as an index has them
        found.setdefault(job_id, {})[state] = (number, seconds or 0.0)
    return {job_id: _progress(states) for job_id, states in found.items()}


def _progress(states: Mapping[str, tuple[int, float]]) -> Progress:
    number = {state: states.get(state, (0, 0.0))[0] for state in CandidateState}
    return Progress(
        done=sum(number[state] for state in ENDED),
        running=number[RUNNING],
        total=sum(number.values()),
        seconds=sum(seconds for _, seconds in states.values()),
        failed=number[FAILED],
    )


def trained(session: Session, job_id: str) -> float:
    """Seconds for which a job has trained: for results that it did not take over, and for what has none."""
    data = EventRow.data
    finished = (EventRow.job_id == job_id, EventRow.kind == "candidate", data["what"].as_string() == "finished")
    own = sa.not_(sa.func.coalesce(data["taken_over"].as_boolean(), sa.false()))
    done = session.scalar(sa.select(sa.func.sum(data["seconds"].as_float())).where(*finished, own))
    begun = (CandidateRow.job_id == job_id, CandidateRow.state != SUCCEEDED)
    return (done or 0.0) + (session.scalar(sa.select(sa.func.sum(CandidateRow.interrupted)).where(*begun)) or 0.0)


def note_interrupted(session: Session, job_id: str, seconds: Mapping[str, float]) -> None:
    """Note for how long trainings ran that were ended before they had a result, by key."""
    for key, more in seconds.items():
        own = (CandidateRow.job_id == job_id, CandidateRow.key == key)
        so_far = sa.func.coalesce(CandidateRow.interrupted, 0.0) + more
        session.execute(sa.update(CandidateRow).where(*own).values(interrupted=so_far))


class Best(NamedTuple):
    """The best network of a job so far, by the hold-out."""

    arm: str
    accuracy: float
    params: int


def best(session: Session, job_ids: Sequence[str]) -> dict[str, Best]:
    """Of each job that has one that is neither its dense network nor a parent."""
    m, c, top = MeasurementRow, CandidateRow, aliased(MeasurementRow)
    chosen = (
        sa.select(top.key)
        .where(top.job_id == JobRow.id, top.role.in_(("automatic", "baseline")))
        .order_by(top.goodness.desc())  # down an index, past the few that are something else
        .limit(1)
        .correlate(JobRow)
        .scalar_subquery()
    )
    query = (
        sa.select(JobRow.id, c.arm_name, c.accuracy, c.params)
        .select_from(JobRow)
        .join(m, (m.job_id == JobRow.id) & (m.key == chosen))
        .join(c, (c.job_id == m.job_id) & (c.key == m.key))
        .where(JobRow.id.in_(job_ids))
    )
    found = session.execute(query)
    return {job: Best(arm or "", accuracy or 0.0, params or 0) for job, arm, accuracy, params in found}


class Pace(NamedTuple):
    """How fast networks were trained here lately."""

    macs_per_second: float
    """Of one training."""
    images_per_second: float
    seconds: float
    """That one took."""
    threads: int
    """That it had."""


def pace(session: Session, last: int = 50) -> Pace | None:
    """The pace of the last trainings; None if there is none that noted what it took."""
    looked_at, found = 0, list[Result]()
    newest = sa.select(JobRow.id).where(JobRow.started_at.is_not(None)).order_by(JobRow.number.desc()).limit(last)
    for job_id in session.scalars(newest):
        if looked_at >= last:
            break
        of_job = (CandidateRow.job_id == job_id, CandidateRow.state == SUCCEEDED, CandidateRow.seconds > 0)
        query = sa.select(CandidateRow).where(*of_job).order_by(CandidateRow.position.desc())
        rows = session.scalars(query.limit(last - looked_at)).all()
        found += [one for row in rows if (one := result_of(row)) is not None and one.ledger]
        looked_at += len(rows)
    seconds = sum(result.seconds for result in found)
    if not seconds:
        return None
    own = [result.ledger.own for result in found if result.ledger]
    macs, images = sum(one.macs for one in own), sum(one.images for one in own)
    threads = max(1, found[0].made_by.execution.threads)
    return Pace(macs / seconds, images / seconds, seconds / len(found), threads)


def artifacts_of(session: Session, job_id: str) -> set[str]:
    """Hashes of what a job refers to."""
    return set(session.scalars(sa.select(ArtifactRow.hash).where(ArtifactRow.job_id == job_id)))


def referenced(session: Session, hashes: Collection[str]) -> set[str]:
    """Those of these artifacts that some candidate refers to."""
    return set(session.scalars(sa.select(ArtifactRow.hash).where(ArtifactRow.hash.in_(hashes))))
