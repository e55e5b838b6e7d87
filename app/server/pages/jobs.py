"""Jobs as pages: all of them, one of them as it runs, several in one picture."""

from __future__ import annotations

import json
import string
import urllib.parse
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from espalier.app import charts, tables
from espalier.app.answers import JobAnswers
from espalier.app.rendering import picture
from espalier.app.schemas import CandidateView, JobView
from espalier.app.server.deps import CallerDep, Limit, Position, ServiceDep
from espalier.app.server.pages.rendering import formats, render
from espalier.app.server.responses import candidate_view, cursor, job_view
from espalier.app.server.routes import jobs as api
from espalier.app.server.routes.results import nothing_so_small
from espalier.app.service import Service
from espalier.app.words import amount_of, no_amount
from espalier.search.answers.choice import Choice, choose
from espalier.search.answers.patterns import Patterns
from espalier.search.answers.tickets import TicketAnswer
from espalier.search.answers.values import Answer, CostName, Outcomes, Pareto
from espalier.search.events import EpochEvent
from espalier.search.recipe import Recipe
from espalier.search.results import CurvePoint
from espalier.search.states import FINISHED, CandidateState, JobState
from espalier.storage import candidates as trainings
from espalier.storage import events as happened
from espalier.storage import jobs
from espalier.storage.tables import EventRow

router = APIRouter()

COSTS: Mapping[CostName, str] = {"params": "parameters", "macs": "multiply-adds", "latency": "milliseconds per image"}
MOST_FAILURES, MOST_HEARD, MOST_JOBS = 20, 1000, 12
"""Failures that are told, events that are looked through for what runs, jobs in one picture."""


@router.get("/")
def index(
    service: ServiceDep,
    position: Position = None,
    limit: Limit = 50,
    state: Annotated[str, Query(max_length=20)] = "",
    words: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """All jobs, newest first."""
    wanted = next((one for one in JobState if one == state), None)
    with service.database.session() as session:
        rows = jobs.page(session, wanted, position, limit + 1, words.strip())
        ids = [row.id for row in rows]
        progress, best = trainings.progress(session, ids), trainings.best(session, ids)
    views = [job_view(row, progress[row.id]) for row in rows[:limit]]
    following = cursor(rows[limit - 1].number) if len(rows) > limit else None
    kept = urllib.parse.urlencode({"state": state, "words": words})
    return render(
        "jobs.html", jobs=views, best=best, states=list(JobState), wanted=wanted, words=words, following=following,
        query=f"{kept}&", any_open=any(one.state not in FINISHED for one in views),
    )  # fmt: skip


@router.get("/jobs/{job_id}")
def show(
    job_id: str,
    service: ServiceDep,
    cost: CostName = "params",
    most: Annotated[str, Query(max_length=50)] = "",
) -> Response:
    """One job: what it found so far, what it does now. Follows it, where scripts run."""
    seen = _look(service, job_id)
    view, outcomes = seen.view, seen.outcomes
    found = seen.answers.fronts(*COSTS)
    answer = seen.answers.verdict if outcomes and view.spec.budgets else None
    finished = view.state in FINISHED
    found_tickets = seen.answers.tickets if outcomes and view.spec.tickets else None
    return render(
        "job.html",
        job=view,
        finished=finished,
        can_retry=finished and (view.state != JobState.SUCCEEDED or bool(view.progress.failed)),
        follows=None if finished else f"/v1/jobs/{job_id}/events?cursor={cursor(seen.last)}",
        answer=answer,
        notes=found["params"].notes,
        figures=[*_figures(found, seen, found_tickets)],
        running=seen.running,
        heard={key: told[-1] for key, told in seen.heard.items()},
        failures=seen.failures,
        more_failures=seen.counts.get(CandidateState.FAILED, 0) - len(seen.failures),
        front=found[cost],
        on={name: {point.arm.id for point in found[name].points if point.on_front} for name in ("params", "macs")},
        costs=COSTS,
        cost=cost,
        most=most,
        choice=_find(found[cost], outcomes, most) if most.strip() else None,
        tables=seen.answers.once(
            "tables", lambda: [*_tables(found, answer, seen.answers.stored.patterns, found_tickets)]
        ),
        formats=formats(service),
        counts=seen.counts,
        spec=json.dumps(view.spec.said, indent=2),
    )


@router.get("/jobs/{job_id}/trainings")
def list_trainings(job_id: str, service: ServiceDep, position: Position = None, limit: Limit = 100) -> Response:
    """Every training of a job, in the order of its plan."""
    found = api.candidates(job_id, service, position, limit)
    return render(
        "trainings.html", job=api.get(job_id, service), found=found.items, following=found.next_cursor, query=""
    )


class _Seen(NamedTuple):
    """A job as it stands."""

    view: JobView
    answers: JobAnswers
    failures: Sequence[CandidateView]
    """The first of those that failed."""
    running: Sequence[CandidateView]
    counts: Mapping[CandidateState, int]
    curves: Mapping[str, Sequence[CurvePoint]]
    """Of what is drawn as it learned, by its key."""
    heard: Mapping[str, Sequence[EpochEvent]]
    """Of what runs, by its key: its epochs, as far as they are among the last events."""
    last: int
    """Id of the last event."""

    @property
    def outcomes(self) -> Outcomes:
        """Of its trainings."""
        return self.answers.stored.outcomes


def _look(service: Service, job_id: str) -> _Seen:
    known = service.answers.of(job_id)
    curves = known.once("curves", partial(_curves, service, job_id, known))  # before a session: others wait for it
    with service.database.session() as session:
        job = jobs.get(session, job_id)
        events = happened.newest(session, job_id, 1 if JobState(job.state) in FINISHED else MOST_HEARD)
        running = trainings.in_state(session, job_id, CandidateState.RUNNING)
        failed = trainings.in_state(session, job_id, CandidateState.FAILED, MOST_FAILURES)
        return _Seen(
            view=job_view(job, trainings.progress(session, [job_id])[job_id]),
            answers=known,
            failures=[candidate_view(row) for row in failed],
            running=[candidate_view(row) for row in running],
            counts=trainings.counts(session, job_id),
            curves=curves,
            heard=_heard(events, {row.key for row in running}),
            last=events[0].id if events else 0,
        )


def _curves(service: Service, job_id: str, known: JobAnswers) -> dict[str, Sequence[CurvePoint]]:
    drawn = {one.key for group in charts.learners(known.stored.outcomes) for one, _ in group.outcomes}
    with service.database.session() as session:
        return {key: result.curve for key, result in trainings.results(session, job_id, drawn).items()}


def _heard(events: Sequence[EventRow], running: Collection[str]) -> dict[str, list[EpochEvent]]:
    """By candidate. What was heard of an earlier attempt, which went on from a checkpoint, is passed over."""
    heard: dict[str, list[EpochEvent]] = {}
    for row in reversed(events):
        if row.data.get("candidate") in running and isinstance(event := happened.event_of(row), EpochEvent):
            before = [one for one in heard.get(event.candidate, ()) if one.epoch < event.epoch]
            heard[event.candidate] = [*before, event]
    return heard


def _figures(found: Mapping[CostName, Pareto], seen: _Seen, found_tickets: TicketAnswer | None) -> Iterator[Markup]:
    if any(point.arm.role != "reference" for point in found["params"].points):
        is_timed = bool(found["latency"].points[0].latency)
        costs: tuple[CostName, ...] = ("params", "macs", "latency") if is_timed else ("params", "macs")
        yield from (seen.answers.once(f"picture of {cost}", partial(_front, found[cost])) for cost in costs)
    if found_tickets is not None:
        yield picture(charts.tickets(found_tickets, False))
    if seen.outcomes or seen.heard:
        yield _learning(seen) if seen.heard else seen.answers.once("picture of learning", partial(_learning, seen))


def _front(found: Pareto) -> Markup:
    return picture(charts.front([found], False, address))


def _learning(seen: _Seen) -> Markup:
    running = {told[-1].label: [(one.epoch, one.accuracy) for one in told] for told in seen.heard.values()}
    return picture(charts.learning(seen.outcomes, seen.curves, False, running))


def address(architecture: str) -> str:
    """The page of an architecture."""
    return f"/architectures/{architecture}"


def _tables(
    found_fronts: Mapping[CostName, Pareto], answer: Answer | None, found: Patterns, found_tickets: TicketAnswer | None
) -> Iterator[tables.Table]:
    front = found_fronts["params"]
    if answer is not None:
        yield tables.verdict(answer)
        yield tables.efficiency(answer)
        yield tables.hypervolume([front, found_fronts["macs"]])
    yield tables.comparison(front)
    yield tables.latency(front)
    yield tables.patterns(found)
    if found_tickets is not None:
        yield tables.tickets(found_tickets)


class _Found(NamedTuple):
    """The network to take, or why there is none."""

    network: Choice | None
    problem: str = ""


def _find(front: Pareto, outcomes: Outcomes, most: str) -> _Found:
    """For a budget as it was typed in."""
    if (room := amount_of(most)) is None:
        return _Found(None, no_amount(most))
    found = choose(front, outcomes, room)
    return _Found(found, "" if found else nothing_so_small(front, outcomes))


@router.post("/jobs/{job_id}/cancel")
def cancel(job_id: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Stop a job."""
    api.cancel(job_id, service, caller)
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.post("/jobs/{job_id}/pause")
def pause(job_id: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Let a job wait."""
    api.pause(job_id, service, caller)
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.post("/jobs/{job_id}/resume")
def resume(job_id: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Let a paused job go on."""
    api.resume(job_id, service, caller)
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.post("/jobs/{job_id}/retry")
def retry(job_id: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Let a job go on."""
    api.retry(job_id, service, caller)
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.get("/jobs/{job_id}/delete")
def ask_to_delete(job_id: str, service: ServiceDep) -> Response:
    """Ask whether it is meant."""
    return render("delete.html", job=api.get(job_id, service))


@router.post("/jobs/{job_id}/delete")
def delete(job_id: str, service: ServiceDep, caller: CallerDep) -> Response:
    """Forget a finished job."""
    api.delete(job_id, service, caller)
    return RedirectResponse("/", 303)


@router.get("/compare")
def compare(service: ServiceDep, job: Annotated[list[str] | None, Query(max_length=200)] = None) -> Response:
    """Several jobs in one picture: on the same data and for the same task; what else differs is said."""
    chosen = list(dict.fromkeys(job or []))
    problem = "" if 1 < len(chosen) <= MOST_JOBS else f"Choose from 2 to {MOST_JOBS} jobs."
    found = [] if problem else [_look(service, one) for one in chosen]
    if len({candidate.data for seen in found for candidate, _ in seen.outcomes}) > 1:
        names = sorted({seen.view.spec.target.dataset_name for seen in found})
        problem = f"Accuracies on different images are no comparison ({', '.join(names)})."
    if len({seen.view.spec.target.task for seen in found}) > 1:
        problem = "Networks that were trained for different tasks are no comparison."
    by_letter = dict(zip(string.ascii_uppercase, found, strict=False))
    costs: tuple[CostName, ...] = ("params", "macs")
    both = {one: seen.answers.fronts(*costs) for one, seen in by_letter.items() if not problem}
    pictures = [
        picture(charts.compared({one: own[cost] for one, own in both.items()}, False, address))
        for cost in costs
        if both
    ]
    views = {one: seen.view for one, seen in by_letter.items()}
    notes = [] if problem else [*_differences(by_letter)]
    return render("compare.html", problem=problem, jobs=views, figures=pictures, notes=notes)


def _differences(jobs: Mapping[str, _Seen]) -> Iterator[str]:
    """What else differs between jobs that are drawn together, so that it may be why their accuracies do."""
    recipes = {letter: seen.outcomes[0][0].recipe for letter, seen in jobs.items() if seen.outcomes}
    for field in Recipe.model_fields:
        values = {letter: getattr(recipe, field) for letter, recipe in recipes.items()}
        if any(value != next(iter(values.values())) for value in values.values()):
            yield f"Their recipes differ in {field}: {_each(values)}."
    conditions = {letter: {result.conditions for _, result in seen.outcomes} for letter, seen in jobs.items()}
    made = {letter: ", ".join(sorted(some)) for letter, some in conditions.items() if some}
    if len({*made.values()}) > 1:
        yield f"Their networks were not computed alike: {_each(made)}."


def _each(values: Mapping[str, object]) -> str:
    return "; ".join(f"{letter} {value}" for letter, value in values.items())
