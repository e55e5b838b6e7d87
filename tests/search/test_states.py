"""States are words, the same in storage, in answers and in code."""

from __future__ import annotations

import json

import pytest

from espalier.search.states import ENDED, FINISHED, CandidateState, JobState


@pytest.mark.parametrize("kind", [JobState, CandidateState])
def test_a_state_is_its_name_in_small_letters(kind: type[JobState] | type[CandidateState]) -> None:
    assert all(state.value == state.name.lower() for state in kind)
    assert all(json.loads(json.dumps(state)) == state for state in kind)


def test_what_has_ended_neither_waits_nor_runs_nor_rests() -> None:
    assert set(JobState) - FINISHED == {JobState.QUEUED, JobState.RUNNING, JobState.PAUSED}
    assert set(CandidateState) - ENDED == {CandidateState.QUEUED, CandidateState.RUNNING}


def test_a_word_that_is_no_state_is_refused() -> None:
    with pytest.raises(ValueError, match="asleep"):
        JobState("asleep")
