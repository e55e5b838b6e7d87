"""Efficiency: the factor read at equal accuracy, and an interval only where resampling supports one."""

from __future__ import annotations

import pytest

from espalier.search.answers.efficiency import efficiency
from tests.search.helpers import outcome


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
