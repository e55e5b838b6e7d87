"""Efficiency: the factor read at equal accuracy, and an interval that covers the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from espalier.search.answers.efficiency import Cell, efficiency, factor
from espalier.search.results import Metric
from tests.search.helpers import candidate, outcome, result


def arm(kind: str, values: list[float], keep: float = 0.1, params: int = 100, **changes: object):  # type: ignore[no-untyped-def]
    return [outcome(kind, keep=keep, seed=s, accuracy=a, params=params, **changes) for s, a in enumerate(values)]


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
    assert params.at_accuracy == pytest.approx(0.675)
    assert params.extremes == pytest.approx((10**0.5, 10**0.5))
    assert params.interval is None, "nothing spreads"
    assert not params.through_dense
    assert efficiency([*ours, *theirs, *arm("dense", [0.99], params=200_000)])[0] == params, "they meet without it"


def cell(cost: float, *accuracies: float) -> Cell:
    return {seed: (cost, accuracy) for seed, accuracy in enumerate(accuracies)}


def test_its_interval_is_the_delta_methods() -> None:
    """Read at 0.6 (ours between 0.5 and 0.7, theirs between 0.4 and 0.8): halfway each. A curve that is higher by 0.02
    in a seed moves log cost by 0.02 / slope there; slopes are 0.2 and 0.4 for each unit of log cost."""
    ours = [cell(0, 0.48, 0.5, 0.52), cell(1, 0.68, 0.7, 0.72)]
    theirs = [cell(1, 0.38, 0.4, 0.42), cell(2, 0.78, 0.8, 0.82)]
    found = factor(ours, theirs, [])
    assert found is not None
    assert (found.value, found.level) == (pytest.approx(math.e), pytest.approx(0.6))
    variances = [(0.02 / slope) ** 2 / 3 for slope in (0.2, 0.4)]
    freedom = sum(variances) ** 2 / sum(one**2 / 2 for one in variances)
    reach = stats.t.ppf(0.975, freedom) * sum(variances) ** 0.5
    assert found.interval == pytest.approx((math.exp(1 - reach), math.exp(1 + reach)))
    against = factor(ours, [cell(1, 0.42, 0.4, 0.38), cell(2, 0.78, 0.8, 0.82)], [])
    assert against is not None
    assert against.interval is not None
    alone = stats.t.ppf(0.975, 2) * variances[0] ** 0.5
    assert against.interval[1] == pytest.approx(math.exp(1 + alone)), "what a seed of theirs gains here it loses there"


def test_a_side_without_spread_is_taken_to_spread_as_the_other() -> None:
    ours, theirs = (
        [cell(0, 0.5, 0.5, 0.5), cell(1, 0.7, 0.7, 0.7)],
        [cell(1, 0.38, 0.4, 0.42), cell(2, 0.78, 0.8, 0.82)],
    )
    found = factor(ours, theirs, [])
    assert found is not None
    variance = (0.02 / 0.4) ** 2 / 3 + 2 * (0.5 * 0.02 / 0.2) ** 2 / 3
    assert found.interval is not None
    assert math.log(found.interval[1]) - 1 == pytest.approx(stats.t.ppf(0.975, 2) * variance**0.5)


def test_accuracies_that_differ_by_rounding_are_one() -> None:
    """A curve through them would be as steep as can be."""
    flat = [cell(0, 0.6, 0.7, 0.8), cell(1, 0.8, 0.7, 0.6)]
    assert factor(flat, [cell(0, 0.64, 0.65, 0.66), cell(1, 0.74, 0.75, 0.76)], []) is None


def test_an_interval_that_says_nothing_is_none() -> None:
    """Curves that hardly rise: an image more or less is any cost."""
    ours = [cell(0, 0.6, 0.7, 0.8001), cell(1, 0.61, 0.7, 0.7903)]
    found = factor(ours, [cell(0, 0.6, 0.7, 0.8), cell(1, 0.7001, 0.7003, 0.7005)], [])
    assert found is not None
    assert found.interval is None


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("parents", [0.0, 0.01])
def test_its_interval_covers_the_truth_95_times_in_100(seeds: int, parents: float) -> None:
    """Curves of 0.1 for each decade, ours twice as cheap; trainings spread by a point, and so may the parents that all
    budgets of a seed share; so do log costs of ours."""
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(1500):
        curves = []
        for gain, spread, shared in ((math.log(2), 0.1, parents), (0.0, 0.0, 0.0)):
            costs = np.log(10.0) * np.arange(3)[:, None] + generator.normal(0, spread, (3, seeds)) - gain
            accuracies = 0.5 + 0.1 * (costs + gain) / math.log(10) + generator.normal(0, 0.01, (3, seeds))
            accuracies += generator.normal(0, shared, seeds)
            curves.append([dict(enumerate(zip(*pair, strict=True))) for pair in zip(costs, accuracies, strict=True)])
        found = factor(*curves, [])
        if found is not None and found.interval is not None:
            covered.append(found.interval[0] <= 2 <= found.interval[1])
    assert len(covered) > 1450
    assert 0.93 <= np.mean(covered) <= 0.98


def test_the_factor_elsewhere_is_between_its_extremes() -> None:
    """Ours is straight; theirs bends at 0.6, where it is dearest."""
    ours, theirs = [cell(0, 0.5), cell(2, 0.7)], [cell(0, 0.5), cell(3, 0.6), cell(3.5, 0.7)]
    found = factor(ours, theirs, [])
    assert found is not None
    assert found.extremes == pytest.approx((1, math.exp(2)))
    assert found.value == pytest.approx(math.exp(2))
    assert found.interval is None, "one seed each"


def test_where_less_is_better_it_is_read_the_other_way_round() -> None:
    def error(kind: str, value: float, keep: float, params: int):  # type: ignore[no-untyped-def]
        numbers = {"error": value}
        metric = Metric(name="error", higher_is_better=False)
        one = candidate(kind, keep=keep)
        return one, result(one, params=params, metric=metric, holdout=numbers, test=numbers)

    ours = [error("pruned", 0.4, 0.1, 10), error("pruned", 0.2, 0.2, 100)]
    theirs = [error("uniform", 0.4, 0.1, 100), error("uniform", 0.2, 0.2, 1000)]
    params = efficiency([*ours, *theirs])[0]
    assert (params.factor, params.at_accuracy) == (pytest.approx(10), pytest.approx(0.3))


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


def test_every_curve_is_held_against_every_baseline_on_both_costs() -> None:
    outcomes = (
        arm("pruned", [0.5]) + arm("pruned", [0.6], init="inherited") + arm("uniform", [0.4]) + arm("random", [0.3])
        + arm("dense", [0.9], params=1000) + arm("sparse", [0.9], params=1000)
    )  # fmt: skip
    found = {(one.name, one.against, one.metric) for one in efficiency(outcomes)}
    assert found == {
        (ours, theirs, metric)
        for ours in ("slimming", "slimming inherited")
        for theirs in ("uniform", "random")
        for metric in ("params", "macs")
    }


def test_without_a_baseline_there_is_nothing_to_say() -> None:
    assert efficiency(arm("pruned", [0.5, 0.6])) == efficiency([]) == []


def test_the_dense_network_ends_both_curves() -> None:
    """0.5 and 0.4 at a tenth of the dense network, which has 0.9: at 0.7, halfway and three fifths up in log cost."""
    outcomes = arm("pruned", [0.5], params=100) + arm("uniform", [0.4], params=100) + arm("dense", [0.9], params=1000)
    params = efficiency(outcomes)[0]
    assert params.at_accuracy == pytest.approx(0.7)
    assert params.factor == pytest.approx(10 ** (0.3 / 0.5 - 0.2 / 0.4))
    assert params.through_dense
