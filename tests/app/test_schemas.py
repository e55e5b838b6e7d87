"""What the API answers with: closed, unchangeable, and the same after a journey as JSON."""

from __future__ import annotations

import inspect

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from espalier.app import schemas
from espalier.app.schemas import CandidateView, EventView, JobView, Page
from espalier.models.document import Frozen
from espalier.search.events import CandidateFailed, EpochEvent, StateEvent
from espalier.search.states import JobState
from tests.app.client.values import job
from tests.app.world import World

KINDS = [
    kind
    for _, kind in inspect.getmembers(schemas, inspect.isclass)
    if kind.__module__ == schemas.__name__ and issubclass(kind, BaseModel)
]
WHO = {"candidate": "k", "label": "dense seed 0"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_closed_and_described(kind: type[BaseModel]) -> None:
    assert issubclass(kind, Frozen)
    assert kind.__doc__
    assert kind.model_json_schema()["additionalProperties"] is False


def test_an_answer_does_not_change() -> None:
    view = job()
    with pytest.raises(ValidationError):
        view.state = JobState.RUNNING  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra"):
        JobView.model_validate(view.model_dump() | {"extra": 1})
    assert JobView.model_validate_json(view.model_dump_json()) == view


@pytest.mark.parametrize(
    "event",
    [
        StateEvent(state=JobState.FAILED, error="why"),
        CandidateFailed(**WHO, error="why"),
        EpochEvent(**WHO, epoch=0, epochs=1, step=3, loss=0.5, accuracy=0.5, metrics={"loss": 0.5}),
    ],
)
def test_an_event_is_of_its_kind_after_a_journey(event: StateEvent | CandidateFailed | EpochEvent) -> None:
    view = EventView.model_validate({"id": 1, "at": "2026-01-01T00:00:00Z", "event": event.kind, "data": event})
    again = EventView.model_validate_json(view.model_dump_json())
    assert again == view
    assert type(again.data) is type(event)


def test_a_page_is_of_one_kind() -> None:
    page = Page[JobView](items=(job(),), next_cursor=None)
    assert Page[JobView].model_validate_json(page.model_dump_json()) == page
    with pytest.raises(ValidationError):
        Page[JobView].model_validate({"items": [{"id": "x"}], "next_cursor": None})


def test_what_routes_answer_is_what_the_types_say(world: World) -> None:
    job_id = world.finish()
    for kind, path in (
        (JobView, f"/v1/jobs/{job_id}"),
        (Page[JobView], "/v1/jobs"),
        (Page[CandidateView], f"/v1/jobs/{job_id}/candidates"),
    ):
        answer = world.get(path)
        assert TypeAdapter(kind).validate_python(answer).model_dump(mode="json") == answer  # type: ignore[attr-defined]
