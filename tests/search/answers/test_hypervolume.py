"""Hypervolumes: worked out by hand, and what cannot raise them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.search.answers.hypervolume import Step, hypervolume

shares = st.integers(0, 8).map(lambda i: i / 8)
steps = st.lists(
    st.builds(lambda cost, good: Step(cost, good, dict.fromkeys(range(3), good)), st.integers(1, 8), shares),
    max_size=20,
)


def at(cost: float, *values: float) -> Step:
    return Step(cost, float(np.mean(values)), dict(enumerate(values)))


def value(found: list[Step], least: float, most: float) -> float | None:
    volume = hypervolume(found, least, most)
    return None if volume is None else volume.value


def test_hypervolume_by_hand() -> None:
    """From a hundredth to the whole cost: half of the way 0.5, the other half 0.8."""
    assert value([at(10, 0.5), at(100, 0.8)], 10, 1000) == pytest.approx(0.65)
    assert value([at(10, 0.5)], 10, 1000) == pytest.approx(0.5)
    assert value([at(1, 0.5), at(100, 0.8)], 10, 1000) == pytest.approx(0.65), "what lies before the range is left out"
    assert value([at(10, 0.5), at(100, 0.4)], 10, 1000) == pytest.approx(0.5), "what is dominated does not count"
    assert value([at(10, 0.5), at(1000, 0.9)], 10, 1000) == pytest.approx(0.5), "the range ends there"


@pytest.mark.parametrize(("found", "least", "most"), [([], 1, 10), ([at(5, 0.5)], 1, 10), ([at(1, 0.5)], 10, 10)])
def test_without_a_network_at_the_least_cost_or_a_range_there_is_none(
    found: list[Step], least: float, most: float
) -> None:
    assert hypervolume(found, least, most) is None


@given(steps, steps)
def test_it_grows_with_points_in_the_range_and_lies_among_them(found: list[Step], more: list[Step]) -> None:
    start = at(1, 0.0, 0.0)
    before, after = value([start, *found], 1, 9), value([start, *found, *more], 1, 9)
    assert before is not None
    assert after is not None
    assert 0 <= before <= after + 1e-12 <= 1 + 1e-12


@given(steps, shares)
def test_a_cheap_and_useless_network_changes_nothing(found: list[Step], useless: float) -> None:
    least = min((step.cost for step in found), default=1.0)
    cheapest = max((step.chosen_by for step in found if step.cost == least), default=1.0)
    known = [at(least, cheapest, cheapest), *found]
    cheap = at(least / 2, useless * cheapest, useless * cheapest)
    assert value([cheap, *known], least, 9) == pytest.approx(value(known, least, 9))


def test_the_best_is_chosen_by_the_holdout_and_reported_from_the_test() -> None:
    lucky = Step(10, 0.4, {0: 0.9, 1: 0.9})
    assert value([Step(10, 0.6, {0: 0.5, 1: 0.5}), lucky], 10, 1000) == pytest.approx(0.5)


def test_its_interval_is_students_of_a_weighted_mean() -> None:
    """One point alone: the interval of its mean, t(2) = 4.303."""
    one = hypervolume([at(10, 0.4, 0.5, 0.6)], 10, 1000)
    assert one is not None
    assert one.interval == pytest.approx((0.5 - 4.303 * 0.1 / 3**0.5, 0.5 + 4.303 * 0.1 / 3**0.5), abs=1e-4)
    both = hypervolume([at(10, 0.4, 0.5, 0.6), at(100, 0.7, 0.8, 0.9)], 10, 1000)
    assert both is not None
    assert both.interval is not None
    assert both.interval[1] - both.value == pytest.approx(4.303 * 0.1 / 3**0.5, abs=1e-4), "seeds vary together"
    other = hypervolume([at(10, 0.4, 0.5, 0.6), Step(100, 0.8, {5: 0.7, 6: 0.8, 7: 0.9})], 10, 1000)
    assert other is not None
    assert other.interval is not None
    error = (2 * (0.5 * 0.1) ** 2 / 3) ** 0.5
    assert other.interval[1] - other.value == pytest.approx(2.776 * error, abs=1e-4), (
        "others do not: 4 degrees of freedom"
    )


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [0.7, 0.7, 0.7]])
def test_without_seeds_or_spread_there_is_no_interval(values: list[float]) -> None:
    found = hypervolume([at(10, *values)], 10, 1000)
    assert found is not None
    assert found.interval is None
