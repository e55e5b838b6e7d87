"""Submitting jobs and following them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from espalier.app.schemas import CandidateView, EventView, JobView, Page, PlanView, Priority
from espalier.app.server.auth import Caller
from espalier.app.server.body import DOCUMENTED, SpecDep
from espalier.app.server.deps import CallerDep, Gone, Limit, Position, ServiceDep
from espalier.app.server.errors import problems
from espalier.app.server.guides import resolved
from espalier.app.server.links import OF_A_JOB, links
from espalier.app.server.responses import candidate_view, event_view, job_view, page, plan_view
from espalier.app.service import Service
from espalier.search.spec import Extension, JobSpec
from espalier.search.states import FINISHED, JobState
from espalier.storage import candidates as trainings
from espalier.storage import events as happened
from espalier.storage import jobs
from espalier.storage.errors import TooManyQueued, WrongState
from espalier.storage.tables import JobRow

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

LINKS = links("job_id", "id", *OF_A_JOB)
REPEATED = {"model": JobView, "description": "the job this idempotency key made before"} | LINKS


@router.post(
    "",
    status_code=202,
    operation_id="submit_job",
    response_model=JobView,
    responses={202: LINKS, 200: REPEATED, **problems(400, 404, 409, 413, 422, 429)},
    openapi_extra=DOCUMENTED,
)
def submit(
    spec: SpecDep,
    service: ServiceDep,
    response: Response,
    gone: Gone,
    caller: CallerDep,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> JobView:
    """Queue a search. A spec that cannot work is refused here, not after an hour."""
    caller.must("submit")
    asked, repeated = spec, _repeated(service, idempotency_key, spec)
    if repeated is None:
        spec = resolved(service, spec)
        estimate = service.examine_spec(spec, gone)
        service.allow(spec, estimate)
        service.share_data(estimate.question.data)
        try:
            with service.database.session() as session:
                wanted, room = (spec, estimate.question, estimate.candidates), service.settings.room
                job = jobs.submit(session, *wanted, idempotency_key, room, asked, caller.name, estimate.most_macs)
                view = job_view(job, trainings.progress(session, [job.id])[job.id])
        except (IntegrityError, TooManyQueued):  # the same key, twice at once: the other one won
            repeated = _repeated(service, idempotency_key, asked)
            if repeated is None:
                raise
    if repeated is not None:
        response.status_code = 200
        view = repeated
    response.headers["Location"] = f"/v1/jobs/{view.id}"
    return view


def _repeated(service: Service, idempotency_key: str | None, spec: JobSpec) -> JobView | None:
    if idempotency_key is None:
        return None
    with service.database.session() as session:
        job = jobs.find_repeated(session, idempotency_key, spec)
        return job_view(job, trainings.progress(session, [job.id])[job.id]) if job else None


@router.post(
    "/plan",
    operation_id="plan_job",
    response_model=PlanView,
    responses=problems(400, 404, 413, 422),
    openapi_extra=DOCUMENTED,
)
def plan(spec: SpecDep, service: ServiceDep, gone: Gone) -> Response:
    """What a spec would run, without running it."""
    estimate = service.examine_spec(resolved(service, spec), gone)
    view = plan_view(estimate, service.rate(len(estimate.candidates)))
    return _written(view)


def _written(view: BaseModel) -> Response:
    """What is large, not written on the event loop, nor looked through once more."""
    return Response(view.model_dump_json(), media_type="application/json")


@router.get(
    "",
    operation_id="list_jobs",
    response_model=Page[JobView],
    responses={200: links("job_id", "items/0/id", *OF_A_JOB), **problems(422)},
)
def listing(
    service: ServiceDep, position: Position = None, limit: Limit = 50, state: JobState | None = None
) -> Response:
    """Jobs, newest first."""
    with service.database.session() as session:
        rows = jobs.page(session, state, position, limit + 1)
        progress = trainings.progress(session, [row.id for row in rows])
    views = [job_view(row, progress[row.id]) for row in rows]
    return _written(page(views, limit, rows[limit - 1].number if len(rows) > limit else 0))


@router.get("/{job_id}", operation_id="get_job", responses=problems(404))
def get(job_id: str, service: ServiceDep) -> JobView:
    """One job."""
    with service.database.session() as session:
        return job_view(jobs.get(session, job_id), trainings.progress(session, [job_id])[job_id])


def _steered(job_id: str, service: Service, caller: Caller, verb: Callable[[Session, str], JobRow]) -> JobView:
    """A job after something was done with it that is its owner's to do."""
    with service.database.session() as session:
        caller.must_own(job_id, jobs.get(session, job_id).submitted_by)
        return job_view(verb(session, job_id), trainings.progress(session, [job_id])[job_id])


@router.post("/{job_id}/cancel", status_code=202, operation_id="cancel_job", responses=problems(404, 409))
def cancel(job_id: str, service: ServiceDep, caller: CallerDep) -> JobView:
    """Stop a job. Running candidates end within seconds; finished results stay."""
    return _steered(job_id, service, caller, jobs.cancel)


@router.post("/{job_id}/pause", status_code=202, operation_id="pause_job", responses=problems(404, 409))
def pause(job_id: str, service: ServiceDep, caller: CallerDep) -> JobView:
    """Let a job wait until it is resumed. What runs ends within seconds, and goes on from its checkpoint then."""
    return _steered(job_id, service, caller, jobs.pause)


@router.post("/{job_id}/resume", status_code=202, operation_id="resume_job", responses=problems(404, 409))
def resume(job_id: str, service: ServiceDep, caller: CallerDep) -> JobView:
    """Let a paused job go on, in its place among those that wait."""
    return _steered(job_id, service, caller, jobs.resume)


@router.put("/{job_id}/priority", operation_id="prioritise_job", responses=problems(400, 404, 422))
def prioritise(job_id: str, wanted: Priority, service: ServiceDep, caller: CallerDep) -> JobView:
    """Begin a job before those of less priority; only an admin lets one go before those of others (above 0)."""

    def prioritised(session: Session, job_id: str) -> JobRow:
        if wanted.priority > 0:
            caller.must("admin")
        return jobs.prioritise(session, job_id, wanted.priority)

    return _steered(job_id, service, caller, prioritised)


@router.post("/{job_id}/retry", status_code=202, operation_id="retry_job", responses=problems(404, 409, 429))
def retry(job_id: str, service: ServiceDep, caller: CallerDep) -> JobView:
    """Let a job go on where it was: a failed or cancelled one, or one that succeeded though candidates of it failed."""
    with service.database.session() as session:
        job = jobs.get(session, job_id)
    caller.must_own(job_id, job.submitted_by)
    if job.question is not None and job.state in FINISHED:  # its data set may have been put away
        service.share_data(str(job.question["data"]))
    return _steered(job_id, service, caller, functools.partial(jobs.retry, room=service.settings.room))


@router.post(
    "/{job_id}/extend", status_code=202, operation_id="extend_job", responses=problems(400, 404, 409, 413, 422, 429)
)
def extend(job_id: str, extension: Extension, service: ServiceDep, gone: Gone, caller: CallerDep) -> JobView:
    """Add methods, budgets, baselines, controls or seeds to a finished job: only what is new is trained."""
    with service.database.session() as session:
        job = jobs.get(session, job_id)
    caller.must_own(job_id, job.submitted_by)
    had = JobSpec.read(job.spec)
    spec = extension.of(had)
    before, estimate = (service.examine_spec(one, gone) for one in (had, spec))
    service.allow(spec, estimate)
    service.share_data(estimate.question.data)
    planned = {one.key for one in estimate.candidates}
    if changed := [one.label for one in before.candidates if one.key not in planned]:
        raise WrongState(
            f"with that, {len(changed)} trainings of job {job_id} would be others ({changed[0]}): their length follows "
            "from all methods of the job; submit a new one"
        )
    with service.database.session() as session:
        room, macs = service.settings.room, estimate.most_macs
        job = jobs.extend(session, job, spec, estimate.question, estimate.candidates, room, macs)
        return job_view(job, trainings.progress(session, [job_id])[job_id])


@router.delete("/{job_id}", status_code=204, operation_id="delete_job", responses=problems(404, 409))
def delete(job_id: str, service: ServiceDep, caller: CallerDep) -> None:
    """Forget a finished job, its study, and the artifacts nobody else uses."""
    with service.database.session() as session:
        caller.must_own(job_id, jobs.get(session, job_id).submitted_by)
    service.delete_job(job_id)


@router.get("/{job_id}/candidates", operation_id="list_candidates", responses=problems(404, 422))
def candidates(job_id: str, service: ServiceDep, position: Position = None, limit: Limit = 50) -> Page[CandidateView]:
    """The candidates of a job, in the order of its plan."""
    with service.database.session() as session:
        jobs.get(session, job_id)
        rows = trainings.page(session, job_id, position or 0, limit + 1)
    return page([candidate_view(row) for row in rows], limit, (position or 0) + limit)


@router.get(
    "/{job_id}/events",
    operation_id="follow_job",
    response_model=Page[EventView],
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **problems(404, 422)},
)
def events(
    job_id: str,
    service: ServiceDep,
    request: Request,
    limit: Limit = 50,
    position: Position = None,
    accept: Annotated[str, Header()] = "*/*",
    last_event_id: Annotated[int | None, Header(ge=0, lt=2**53)] = None,
) -> Any:
    """What happens to a job, as it happens: Server-Sent Events that end with the job.

    `Last-Event-ID` resumes behind that event. A token that is revoked ends it. With `Accept: application/json`, a page
    of events instead.
    """
    after = last_event_id if last_event_id is not None else position or 0
    with service.database.session() as session:
        jobs.get(session, job_id)
        if "application/json" in accept.lower() and "text/event-stream" not in accept.lower():
            views = [event_view(row) for row in happened.after(session, job_id, after, limit + 1)]
            return page(views, limit, views[limit - 1].id if len(views) > limit else 0)
    gate, streams = request.app.state.gate, request.app.state.streams
    return EventSourceResponse(streams.follow(job_id, after, lambda: gate.of_request(request)))
