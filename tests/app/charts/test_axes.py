"""Axes: every number lies on them, and a few round ones are written."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.app.charts.axes import CLOSEST, spanning

numbers = st.lists(st.floats(-1e12, 1e12) | st.floats(1e-9, 1.0), max_size=8)
positive = st.lists(st.floats(1e-6, 1e15), max_size=8)


@given(values=numbers, turned=st.booleans())
def test_every_number_lies_on_the_axis(values: list[float], turned: bool) -> None:
    axis = spanning("x", values, str, is_turned=turned)
    assert all(0 <= axis.at(value) <= 1 for value in values)


@given(values=positive, turned=st.booleans())
def test_every_positive_number_lies_on_a_log_axis(values: list[float], turned: bool) -> None:
    axis = spanning("x", values, str, is_log=True, is_turned=turned)
    assert all(0 <= axis.at(value) <= 1 for value in values)


@given(values=positive, log=st.booleans())
def test_some_numbers_are_written_within_and_apart(values: list[float], log: bool) -> None:
    axis = spanning("x", values, str, is_log=log)
    ticks = axis.ticks
    assert 2 <= len(ticks) <= 1 / CLOSEST + 1
    assert all(-1e-6 <= axis.at(tick) <= 1 + 1e-6 for tick in ticks)
    assert all(b > a for a, b in itertools.pairwise(ticks))


def test_round_ones_are_written() -> None:
    assert spanning("x", [86, 93], str).ticks == [86, 87, 88, 89, 90, 91, 92, 93]
    assert spanning("x", [0.0, 1.0], str).ticks == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert spanning("x", [1e3, 1e6], str, is_log=True).ticks == pytest.approx([1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6])
    narrow = spanning("x", [16_590, 18_680], str, is_log=True)
    assert narrow.ticks == pytest.approx([16e3, 17e3, 18e3, 19e3, 20e3]), "a part of a decade has round numbers, too"


def test_larger_is_to_the_right_unless_it_is_turned() -> None:
    plain, turned = (spanning("x", [1, 100], str, is_log=True, is_turned=turned) for turned in (False, True))
    assert plain.at(2) < plain.at(50)
    assert turned.at(2) > turned.at(50)
    assert plain.at(10) == pytest.approx(0.5)


@pytest.mark.parametrize("is_log", [True, False])
def test_what_is_no_number_counts_for_nothing(is_log: bool) -> None:
    axis = spanning("x", [math.nan, math.inf, 2.0, 3.0], str, is_log)
    assert 1 < axis.low < 2 < 3 < axis.high < 4
    assert spanning("x", [0.0, -1.0, 2.0], str, is_log=True).low > 1
