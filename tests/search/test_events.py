"""Events are told apart by their kind, and survive JSON."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from espalier.search.events import (
    EVENT,
    CandidateFailed,
    CandidateFinished,
    CandidateStarted,
    EpochEvent,
    Event,
    StateEvent,
)
from espalier.search.states import JobState

EVENTS: list[Event] = [
    StateEvent(state=JobState.RUNNING, attempt=2),
    StateEvent(state=JobState.FAILED, error="no"),
    CandidateStarted(candidate="k", label="dense seed 0"),
    CandidateFinished(candidate="k", label="dense seed 0", accuracy=0.5, seconds=1.0),
    CandidateFailed(candidate="k", label="dense seed 0", error="no"),
    EpochEvent(candidate="k", label="dense seed 0", epoch=0, epochs=3, step=9, loss=1.0, accuracy=0.5),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_read_back_as_what_it_was(event: Event) -> None:
    assert EVENT.validate_json(event.model_dump_json()) == event
    assert type(EVENT.validate_python(event.model_dump(mode="json"))) is type(event)


@pytest.mark.parametrize(
    "raw",
    [
        {"kind": "rumour"},
        {"kind": "state", "state": "asleep"},
        {"kind": "candidate", "what": "lost", "candidate": "k", "label": ""},
        {"kind": "candidate", "what": "started", "candidate": "k"},
        {"kind": "candidate", "what": "started", "candidate": "k", "label": "", "error": "no"},
    ],
)
def test_what_is_no_event_is_refused(raw: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        EVENT.validate_python(raw)


def test_an_event_of_a_release_that_counted_no_steps_is_read() -> None:
    raw = {"kind": "epoch", "candidate": "k", "label": "l", "epoch": 0, "epochs": 1, "loss": 1.0, "accuracy": 0.5}
    event = EVENT.validate_python(raw)
    assert isinstance(event, EpochEvent)
    assert (event.step, event.metrics) == (None, {})
