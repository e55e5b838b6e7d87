"""Verdicts: against numbers worked out elsewhere, and never more than the interval supports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.search.verdict import compare, difference_interval, efficiency, sample, summary
from tests.search.helpers import outcome

accuracies = st.lists(st.floats(0, 1), min_size=2, max_size=6)


def arm(kind: str, values: list[float], keep: float = 0.1, params: int = 100, **changes: object):  # type: ignore[no-untyped-def]
    return [outcome(kind, keep=keep, seed=s, accuracy=a, params=params, **changes) for s, a in enumerate(values)]


def test_welchs_interval_against_a_textbook() -> None:
    """Means 3 and 7, variances 1 and 4, n = 3: t(nu = 2.94) = 3.22, half-width 3.22 * sqrt(5 / 3) = 4.15."""
    low, high = difference_interval([2, 3, 4], [5, 7, 9]) or (0, 0)
    assert (low, high) == pytest.approx((-4 - 4.157, -4 + 4.157), abs=0.01)


@given(accuracies, accuracies)
def test_swapping_the_arms_turns_the_interval_round(ours: list[float], theirs: list[float]) -> None:
    interval, turned = difference_interval(ours, theirs), difference_interval(theirs, ours)
    assert (interval is None) == (turned is None)
    if interval is not None:
        assert turned == pytest.approx((-interval[1], -interval[0]), abs=1e-9)
        assert interval[0] <= interval[1]


@pytest.mark.parametrize(
    ("ours", "theirs", "answer"),
    [
        ([0.90, 0.91, 0.92], [0.70, 0.71, 0.72], "better"),
        ([0.70, 0.71, 0.72], [0.90, 0.91, 0.92], "worse"),
        ([0.70, 0.80, 0.90], [0.69, 0.79, 0.89], "undecided"),
        ([0.9], [0.1], "undecided"),
        ([0.9, 0.9], [0.1], "undecided"),
        ([0.9, 0.9], [0.8, 0.8], "undecided"),  # no spread: perhaps one test image, not certainty
        ([0.5, 0.5], [0.5, 0.5], "undecided"),
        ([0.9, 0.9], [0.1, 0.11], "better"),
    ],
)
def test_the_answer_is_what_the_interval_supports(ours: list[float], theirs: list[float], answer: str) -> None:
    (verdict,) = compare(arm("pruned", ours) + arm("uniform", theirs))
    assert verdict.answer == answer
    assert (verdict.interval is None) == (min(len(ours), len(theirs)) < 2 or len({*ours}) == len({*theirs}) == 1)
    assert verdict.difference == pytest.approx(sum(ours) / len(ours) - sum(theirs) / len(theirs))


def test_one_verdict_for_each_method_baseline_and_budget_that_both_have() -> None:
    outcomes = (
        arm("pruned", [0.5, 0.6], 0.1) + arm("pruned", [0.5, 0.6], 0.2)
        + arm("uniform", [0.4, 0.5], 0.1) + arm("random", [0.3, 0.4], 0.1) + arm("random", [0.3, 0.4], 0.3)
        + arm("dense", [0.9, 0.9])
    )  # fmt: skip
    assert {(v.against, v.keep) for v in compare(outcomes)} == {("uniform", 0.1), ("random", 0.1)}


def test_inherited_weights_are_an_arm_of_their_own() -> None:
    outcomes = arm("pruned", [0.5, 0.6]) + arm("pruned", [0.8, 0.9], init="inherited") + arm("uniform", [0.4, 0.5])
    assert {(v.init, round(v.automatic.mean, 2)) for v in compare(outcomes)} == {("scratch", 0.55), ("inherited", 0.85)}


def test_efficiency_reads_the_gap_at_equal_accuracy() -> None:
    """Both curves rise by 0.1 per decade, the baseline's half a decade to the right: sqrt(10) times cheaper."""
    ours = [
        o for i, keep in enumerate((0.001, 0.01, 0.1)) for o in arm("pruned", [0.6 + 0.1 * i] * 3, keep, 1000 * 10**i)
    ]
    theirs = [
        o for i, keep in enumerate((0.001, 0.01, 0.1)) for o in arm("uniform", [0.55 + 0.1 * i] * 3, keep, 1000 * 10**i)
    ]
    params, macs = efficiency(ours + theirs)
    assert (params.metric, macs.metric) == ("params", "macs")
    assert params.factor == pytest.approx(10**0.5)
    assert params.interval == pytest.approx((10**0.5, 10**0.5))
    assert params.at_accuracy == pytest.approx(0.675)


def test_efficiency_repeats() -> None:
    outcomes = [
        o
        for i, keep in enumerate((0.1, 0.3, 0.9))
        for o in arm("pruned", [0.6 + 0.1 * i, 0.65 + 0.1 * i], keep, 10 * 3**i)
        + arm("uniform", [0.5 + 0.1 * i, 0.56 + 0.1 * i], keep, 10 * 3**i)
    ]
    assert efficiency(outcomes) == efficiency(outcomes)
    interval = efficiency(outcomes)[0].interval
    assert interval is not None
    assert interval[0] <= (efficiency(outcomes)[0].factor or 0) <= interval[1]


def test_an_interval_that_would_lack_a_tail_is_not_given() -> None:
    """The curves overlap on average, but often not when seeds are drawn again."""
    ours = [*arm("pruned", [0.6, 0.9], 0.1, 10), *arm("pruned", [0.5, 0.5], 0.01, 1)]
    theirs = [*arm("uniform", [0.4, 0.8], 0.1, 10), *arm("uniform", [0.3, 0.3], 0.01, 1)]
    assert all(e.factor is not None and e.interval is None for e in efficiency(ours + theirs))


def test_curves_that_do_not_overlap_give_no_factor() -> None:
    outcomes = arm("pruned", [0.9, 0.9], 0.1) + arm("uniform", [0.2, 0.2], 0.1)
    assert all((e.factor, e.interval, e.at_accuracy) == (None, None, None) for e in efficiency(outcomes))


def test_one_seed_gives_a_factor_without_an_interval() -> None:
    outcomes = [
        o
        for i in range(3)
        for o in arm("pruned", [0.6 + 0.1 * i], 0.1 * (i + 1), 10**i)
        + arm("uniform", [0.5 + 0.1 * i], 0.1 * (i + 1), 10**i)
    ]
    assert all(e.factor is not None and e.interval is None for e in efficiency(outcomes))


def test_the_summary_is_plain_about_all_three_answers() -> None:
    outcomes = (
        arm("pruned", [0.9, 0.91], 0.1) + arm("uniform", [0.1, 0.11], 0.1)
        + arm("pruned", [0.1, 0.11], 0.2) + arm("uniform", [0.9, 0.91], 0.2)
        + arm("pruned", [0.5, 0.6], 0.3) + arm("uniform", [0.5, 0.6], 0.3)
    )  # fmt: skip
    text = summary(compare(outcomes))
    assert "slimming is better than uniform at params 0.1 (+80.0 points)" in text
    assert "is worse than uniform at params 0.2 (-80.0 points)" in text
    assert "shows no difference to uniform that the interval supports at params 0.3" in text
    assert text.endswith("a method's widths come from one sparse training.")
    assert summary([]).startswith("There is no verdict: ")


def test_a_sample_of_one_has_no_deviation() -> None:
    assert sample([0.5]).std is None
    assert sample([0.4, 0.6]).std == pytest.approx(0.1414, abs=1e-4)
