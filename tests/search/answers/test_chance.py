"""How probable a place on the front is: what must be so, and that it is right as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.search.answers.chance import are_on_front, front_probabilities
from espalier.search.answers.front import undominated


def test_what_lies_far_apart_is_certain() -> None:
    found = front_probabilities([1, 2, 3, 3], [[0.5, 0.51], [0.4, 0.41], [0.9, 0.91], [0.8, 0.81]])
    assert found == [1, 0, 1, 0]


def test_what_cannot_be_told_apart_is_as_probable() -> None:
    first, second = front_probabilities([5, 5], [[0.4, 0.6, 0.5], [0.5, 0.4, 0.6]]) or ()
    assert first + second == pytest.approx(1), "at one cost, one of them is on it"
    assert 0.4 < first < 0.6


def test_the_cheapest_is_always_on_it() -> None:
    found = front_probabilities([2, 1, 3], [[0.9, 0.8], [0.1, 0.5], [0.6, 0.7]])
    assert found is not None
    assert found[1] == 1


@pytest.mark.parametrize("samples", [[[0.5], [0.6]], [[0.5, 0.5], [0.6, 0.6, 0.6]], []])
def test_without_any_spread_nothing_is_said(samples: list[list[float]]) -> None:
    assert front_probabilities([1] * len(samples), samples) is None


def test_one_seed_borrows_the_spread_of_others() -> None:
    found = front_probabilities([1, 2], [[0.5], [0.4, 0.6]])
    assert found is not None
    assert 0.3 < found[1] < 0.7


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_a_draws_front_is_the_front(points: list[tuple[int, int]]) -> None:
    points.sort()
    costs, values = (np.array(side, dtype=float) for side in zip(*points, strict=True))
    expected = [by is None for by in undominated([(float(c), float(v)) for c, v in zip(costs, values, strict=True)])]
    assert are_on_front(costs, values[None])[0].tolist() == expected


def test_it_is_right_as_often_as_it_says() -> None:
    """Two networks, the dearer truly better by a third of a standard error to three: how often what is said to be at
    least 80 times in 100 is so, where either may be the better one."""
    generator = np.random.default_rng(1)
    said, true = [], []
    for _ in range(1500):
        truth = generator.normal(0, 1, 2)  # as far apart as seeds are among themselves
        samples = [list(generator.normal(one, 1, 3)) for one in truth]
        found = front_probabilities([1, 2], samples)
        assert found is not None
        said.append(found[1])
        true.append(truth[1] > truth[0])
    sure = [is_so for share, is_so in zip(said, true, strict=True) if share > 0.8]
    expected = np.mean([share for share in said if share > 0.8])
    assert len(sure) > 200
    assert np.mean(sure) == pytest.approx(expected, abs=0.07)
