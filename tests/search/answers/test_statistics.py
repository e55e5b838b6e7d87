"""Differences of means and many of them at once: against textbooks, and by the rules that they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from espalier.search.answers.statistics import (
    Comparison,
    Difference,
    Part,
    decided,
    difference,
    holm,
    parts_of,
    power,
    reach,
    supported,
)

accuracies = st.lists(st.floats(0, 1), min_size=2, max_size=6)
shares = st.lists(st.floats(0, 1) | st.none(), max_size=8)


def test_welchs_interval_against_a_textbook() -> None:
    """Means 3 and 7, variances 1 and 4, n = 3: t(nu = 2.94) = 3.22, half-width 3.22 * sqrt(5 / 3) = 4.15."""
    found = difference([2, 3, 4], [5, 7, 9])
    assert found.value == -4
    assert found.interval == pytest.approx((-4 - 4.157, -4 + 4.157), abs=0.01)


@given(accuracies, accuracies)
def test_swapping_the_sides_turns_the_interval_round(ours: list[float], theirs: list[float]) -> None:
    found, turned = difference(ours, theirs), difference(theirs, ours)
    assert turned.p == pytest.approx(found.p)
    assert (found.interval is None) == (turned.interval is None) == (found.p is None)
    if found.interval is not None:
        low, high = found.interval
        assert turned.interval == pytest.approx((-high, -low), abs=1e-9)
        assert low <= found.value <= high


def test_welchs_test_against_scipys() -> None:
    ours, theirs = [0.51, 0.53, 0.52], [0.50, 0.55, 0.49, 0.47]
    assert difference(ours, theirs).p == pytest.approx(stats.ttest_ind(ours, theirs, equal_var=False).pvalue)


@pytest.mark.parametrize(("few", "many"), [(2, 3), (2, 5), (3, 6), (3, 10)])
def test_a_side_of_which_most_seeds_failed_has_no_more_freedom_than_it_has_values(few: int, many: int) -> None:
    """By simulation: of 100 pairs without a difference, at most 5 are told apart, where the few vary as much or more."""
    generator = np.random.default_rng(0)
    for spread in (1.0, 4.0):
        drawn = [difference(generator.normal(0, spread, few), generator.normal(0, 1, many)) for _ in range(1500)]
        assert np.mean([one.p is not None and one.p < 0.05 for one in drawn]) < 0.06


def test_two_equal_values_against_many_have_one_degree_of_freedom() -> None:
    found = difference([0.8, 0.8], [0.7, 0.71, 0.72, 0.73, 0.74])
    assert found.p is not None
    assert found.p == pytest.approx(
        2 * stats.t.sf(0.08 / (np.std([0.7, 0.71, 0.72, 0.73, 0.74], ddof=1) * 0.7**0.5), 1)
    )


@given(accuracies, accuracies)
def test_an_interval_without_zero_is_a_p_below_five_per_cent(ours: list[float], theirs: list[float]) -> None:
    found = difference(ours, theirs)
    if found.interval is not None and found.p is not None and abs(found.p - 0.05) > 1e-9:
        assert (found.interval[0] > 0 or found.interval[1] < 0) == (found.p < 0.05)


def test_a_side_without_spread_is_taken_to_spread_as_the_other() -> None:
    """Three values of variance 1 against three equal ones: standard error sqrt(2 / 3), two degrees of freedom."""
    found = difference([4, 5, 6], [9, 9, 9])
    assert found.p == pytest.approx(2 * stats.t.sf(4 / (2 / 3) ** 0.5, 2))
    assert difference([9, 9, 9], [4, 5, 6]).p == found.p


def test_chance_decides_no_more_often_than_it_may_where_one_side_has_no_spread() -> None:
    """Accuracies of five seeds in whole images, both from one distribution."""
    draws = np.random.default_rng(0).normal(0, 0.8, (4000, 2, 5)) + np.random.default_rng(1).uniform(0, 1, (4000, 1, 1))
    pairs = [pair for pair in draws.round() if (np.ptp(pair[0]) == 0) != (np.ptp(pair[1]) == 0)]
    false = [(difference(*pair).p or 1) <= 0.05 for pair in pairs]
    assert len(pairs) > 100
    assert np.mean(false) <= 0.08


@pytest.mark.parametrize(("ours", "theirs"), [([0.5], [0.1, 0.2]), ([0.5, 0.5], [0.1, 0.1])])
def test_without_spread_nothing_can_be_told(ours: list[float], theirs: list[float]) -> None:
    assert difference(ours, theirs) == Difference(pytest.approx(np.mean(ours) - np.mean(theirs)), None, None)


@pytest.mark.parametrize(("seeds", "tests"), [(5, 1), (5, 6), (20, 1)])
def test_what_is_detectable_is_found_80_times_in_100(seeds: int, tests: int) -> None:
    """Of the truth; each job says it from its own spread, in the mean over jobs."""
    generator = np.random.default_rng(0)
    said = np.mean(
        [known.detectable for _ in range(300) if (known := power(*generator.normal(0, 1, (2, seeds)), tests))]
    )
    found = [
        (difference(ours + said, theirs).p or 1) <= 0.05 / tests
        for ours, theirs in generator.normal(0, 1, (2000, 2, seeds))
    ]
    assert 0.75 <= np.mean(found) <= 0.88


def test_so_many_seeds_decide_what_was_seen() -> None:
    """A difference of one standard deviation, in sqrt(n / 2) standard errors, by scipy's noncentral t."""
    few = power([0, 1, 2], [1, 2, 3])
    assert few is not None
    found = [stats.nct.sf(stats.t.ppf(0.975, 2 * n - 2), 2 * n - 2, (n / 2) ** 0.5) for n in range(2, 65)]
    assert few.seeds == 2 + next(place for place, share in enumerate(found) if share >= 0.8) == 17
    assert stats.nct.sf(stats.t.ppf(0.975, 4), 4, few.detectable / (2 / 3) ** 0.5) == pytest.approx(0.8)
    assert (power([0, 1, 2], [0.1, 1.1, 2.1]) or few).seeds is None, "more than a job may have"
    assert power([0.5], [0.1, 0.2]) is power([0.5, 0.5], [0.1, 0.1]) is None


def test_a_job_says_what_each_of_its_comparisons_could_have_found() -> None:
    alone, *_ = decided([Comparison([0.1, 0.2], [0.3, 0.4], 1)])
    together, lone = decided([Comparison([0.1, 0.2], [0.3, 0.4], 1), Comparison([0.1], [0.2], 1)])
    both, _ = decided([Comparison([0.1, 0.2], [0.3, 0.4], 1)] * 2)
    assert alone.detectable == together.detectable, "what is no test asks for nothing"
    assert (lone.detectable, lone.seeds_to_decide) == (None, None)
    assert (both.detectable or 0) > (alone.detectable or 0)


def test_several_looks_share_the_error() -> None:
    ours, theirs = [0.51, 0.53, 0.52], [0.50, 0.55, 0.49]
    once, thrice = difference(ours, theirs), difference(ours, theirs, looks=3)
    assert thrice.p == pytest.approx(min(1, 3 * (once.p or 0)))
    wider = stats.t.ppf(1 - 0.05 / 6, 2) / stats.t.ppf(0.975, 2)
    equal = [difference([0, 1, 2], [1, 1, 1], looks).interval or (0, 0) for looks in (3, 1)]
    assert (equal[0][1] - equal[0][0]) / (equal[1][1] - equal[1][0]) == pytest.approx(wider)


def test_what_is_decided_stays_so_and_the_rest_is_looked_at_again() -> None:
    clear = Comparison([0.9, 0.91, 0.92, 0.1, 0.1, 0.1], [0.5, 0.51, 0.52, 0.9, 0.9, 0.9], 1)
    late = Comparison([0.5, 0.6, 0.4, 0.51, 0.49, 0.5], [0.3, 0.4, 0.2, 0.31, 0.29, 0.3], 1)
    first, second = decided([clear, late], looks=(3, 6))
    assert (first.adjusted_answer, first.looked_at, first.difference) == ("better", 3, pytest.approx(0.4))
    assert (second.adjusted_answer, second.looked_at) == ("better", 6)
    early = [Comparison(*one.first(3)) for one in (clear, late)]
    assert [one.adjusted_answer for one in decided(early, looks=(3, 6))] == ["better", "undecided"]


def test_a_comparison_that_has_not_come_so_far_is_undecided_and_waited_for() -> None:
    early, there = Comparison([0.9, 0.91], [0.1, 0.11], 1), Comparison([0.9, 0.91, 0.92], [0.5, 0.51, 0.55], 1)
    first, second = decided([early, there], looks=(3, 6))
    assert (first.answer, first.interval, first.p, first.looked_at) == ("undecided", None, None, None)
    assert first.difference == pytest.approx(0.8)
    (alone,) = decided([there], looks=(3, 6))
    assert second.adjusted_p == pytest.approx(2 * (alone.adjusted_p or 0)), "two are undecided"


def test_seeds_that_failed_are_not_waited_for() -> None:
    ours, theirs = [0.5, None, 0.4, 0.51, 0.49, 0.5], [0.3, 0.4, 0.2, 0.31, 0.29, None]
    (one,) = decided([Comparison(ours, theirs, 1)], looks=(3, 6))
    assert (one.looked_at, one.difference) == (6, pytest.approx(0.48 - 0.3))
    (none,) = decided([Comparison([None, None], [0.1, 0.2], 1)], looks=(3, 6))
    assert (none.adjusted_answer, none.difference) == ("undecided", 0.0)


def test_looking_until_it_is_decided_is_wrong_in_no_more_than_5_of_100_jobs() -> None:
    """Three comparisons in each; looking at plain p values three times would be wrong in 25."""
    generator = np.random.default_rng(0)
    draws = generator.normal(0, 1, (1000, 3, 2, 12)).tolist()
    jobs = [decided([Comparison(ours, theirs, 1) for ours, theirs in job], looks=(3, 6, 12)) for job in draws]
    wrong = np.mean([any(one.adjusted_answer != "undecided" for one in job) for job in jobs])
    assert 0.005 <= wrong <= 0.055


def test_the_reach_of_one_mean_is_students() -> None:
    assert reach([Part(0.25, 2)]) == pytest.approx(stats.t.ppf(0.975, 2) * 0.5)
    assert reach([Part(0.25, 2), Part(0.25, 2)]) == pytest.approx(stats.t.ppf(0.975, 4) * 0.5**0.5)
    assert reach([Part(0.25, 2), Part(0.25, 0)]) == pytest.approx(stats.t.ppf(0.975, 2) * 0.5**0.5), "borrowed"
    assert reach([]) is reach([Part(0.25, 0)]) is None


def test_terms_of_the_same_seeds_are_added_seed_by_seed() -> None:
    up, down, other = {0: 1.0, 1: 2.0, 2: 3.0}, {0: 3.0, 1: 2.0, 2: 1.0}, {3: 1.0, 4: 2.0, 5: 3.0}
    assert parts_of([up, up]) == [Part(pytest.approx(4 / 3), 2)]
    assert parts_of([up, down]) == []
    assert parts_of([up, other]) == [Part(pytest.approx(1 / 3), 2)] * 2
    assert parts_of([up, {0: 1.0}]) is None


def test_holms_p_by_hand() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(shares)
def test_adjusting_never_lowers_nor_reorders(ps: list[float | None]) -> None:
    adjusted = holm(ps)
    pairs = [(p, a) for p, a in zip(ps, adjusted, strict=True) if p is not None and a is not None]
    assert [p is None for p in ps] == [a is None for a in adjusted]
    assert all(p <= a <= 1 for p, a in pairs)
    assert [a for _, a in sorted(pairs)] == sorted(a for _, a in pairs)


@pytest.mark.parametrize(
    ("value", "p", "sign", "expected"),
    [
        (0.1, 0.01, 1, "better"), (-0.1, 0.01, 1, "worse"), (-0.1, 0.01, -1, "better"),
        (0.1, 0.06, 1, "undecided"), (0.1, None, 1, "undecided"),
    ],
)  # fmt: skip
def test_the_answer_that_a_difference_supports(value: float, p: float | None, sign: int, expected: str) -> None:
    assert supported(value, p, sign) == expected
