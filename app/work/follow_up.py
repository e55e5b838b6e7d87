"""Jobs that carry what another one found to other targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pydantic import ValidationError
from sqlalchemy.orm import Session

from espalier.app.work.executors.base import TaskFailed, WorkerLost
from espalier.models.document import content_hash
from espalier.search.answers.patterns import Patterns, guides_of
from espalier.search.errors import SpecError, messages
from espalier.search.estimate import PlanEstimate
from espalier.search.events import TransferEvent
from espalier.search.spec import Guide, JobSpec, TransferTarget
from espalier.storage import jobs
from espalier.storage.errors import TooManyQueued
from espalier.storage.events import record
from espalier.storage.room import UNLIMITED, Room


class FollowUp(NamedTuple):
    """A job that carries patterns to a target, or why there is none."""

    there: TransferTarget
    spec: JobSpec | None = None
    estimate: PlanEstimate | None = None
    error: str | None = None


def follow_ups(
    job_id: str, spec: JobSpec, found: Patterns, examine: Callable[[JobSpec], PlanEstimate]
) -> list[FollowUp]:
    """One for each target that a job's spec names. `examine` may raise TaskFailed, WorkerLost or SpecError."""
    guides = guides_of(found, str(spec.target), job_id)
    return [_follow_up(spec, there, guides, examine) for there in spec.transfer_to]


def _follow_up(
    spec: JobSpec, there: TransferTarget, guides: Sequence[Guide], examine: Callable[[JobSpec], PlanEstimate]
) -> FollowUp:
    if not guides:
        return FollowUp(there, error="no pattern was found: none of the methods that leave one has a result")
    try:
        carried = spec.carried_to(there, guides)
        return FollowUp(there, carried, examine(carried))
    except ValidationError as error:
        return FollowUp(there, error=messages(error))
    except (TaskFailed, WorkerLost, SpecError) as error:
        return FollowUp(there, error=str(error))


def queue(session: Session, job_id: str, one: FollowUp, room: Room = UNLIMITED) -> None:
    """Queue what follows a job, once, however often the job is run, if there is room; and say so."""
    told = {"arch": one.there.arch, "dataset": one.there.dataset_name, "error": one.error}
    key = f"{job_id} carried to {content_hash(one.there)}"
    if one.spec is not None and one.estimate is not None:
        known = jobs.with_key(session, key)
        whose = jobs.get(session, job_id).submitted_by
        wanted = (one.spec, one.estimate.question, one.estimate.candidates)
        try:
            new = known or jobs.submit(session, *wanted, key, room, None, whose, one.estimate.most_macs)
            told["job"] = new.id
        except TooManyQueued as error:
            told["error"] = str(error)
    record(session, job_id, TransferEvent.model_validate(told))
