"""What jobs may take."""

from __future__ import annotations

import pytest

from espalier.app.caps import UNCAPPED, Caps
from espalier.models.config import Cost
from espalier.search.errors import SpecError
from espalier.search.estimate import PlanEstimate
from tests.search.helpers import candidate, question
from tests.storage.helpers import SPEC


def estimate(macs: int, most: int = 1) -> PlanEstimate:
    return PlanEstimate(question(SPEC), (candidate("dense"),), most, Cost(1, 1), 1, macs)


def test_a_job_takes_no_more_multiply_adds_than_it_may() -> None:
    caps = Caps(macs=2e15)
    caps.check(estimate(2 * 10**15))
    with pytest.raises(SpecError, match=r"takes 2\.1 P multiply-adds in all, and a job here no more than 2 P"):
        caps.check(estimate(21 * 10**14))
    with pytest.raises(SpecError, match="takes 3 P"):
        caps.check(estimate(10**15, most=3))  # seeds may come to it
    UNCAPPED.check(estimate(10**30))


def test_a_job_may_want_less_time_than_it_may_have_and_not_more() -> None:
    assert UNCAPPED.seconds_of(None) is None
    assert UNCAPPED.seconds_of(9) == 9
    assert Caps(seconds=60).seconds_of(None) == 60
    assert Caps(seconds=60).seconds_of(9) == 9
    assert Caps(seconds=60).seconds_of(99) == 60
