"""The front against its definition, and hypervolumes worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.search.front import hypervolume, pareto, undominated
from tests.search.helpers import candidate, outcome, result

points = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8).map(lambda i: i / 8)), max_size=30)


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] >= other[1] and one != other


@given(points)
def test_the_front_is_what_nothing_dominates(found: list[tuple[float, float]]) -> None:
    for point, by in zip(found, undominated(found), strict=True):
        if by is None:
            assert not any(dominates(other, point) for other in found)
        else:
            assert dominates(found[by], point)


@given(points)
def test_hypervolume_grows_with_points_and_stays_within_bounds(found: list[tuple[float, float]]) -> None:
    assert 0 <= hypervolume(found[1:], 8) <= hypervolume(found, 8) <= 1


def test_hypervolume_by_hand() -> None:
    # Accuracy 1 at the dense cost covers nothing; 0.5 at a tenth covers one of three decades to 0.5.
    assert hypervolume([(1000, 1.0)], 1000) == 0
    assert hypervolume([(1000, 1.0), (100, 0.5)], 1000) == pytest.approx(0.5 / 3)
    assert hypervolume([(100, 0.8), (10, 0.5)], 1000) == pytest.approx((0.8 + 0.5) / 3)
    assert hypervolume([(1, 1.0)], 1000) == pytest.approx(1)
    assert hypervolume([(1e-9, 1.0)], 1000) == pytest.approx(1)


def test_a_point_is_a_mean_over_seeds() -> None:
    front = pareto(
        [outcome("dense", accuracy=0.9, params=1000)]
        + [outcome("uniform", keep=0.1, seed=s, accuracy=a, params=100) for s, a in enumerate((0.5, 0.6, 0.7))]
        + [outcome("pruned", keep=0.1, seed=s, accuracy=a, params=100) for s, a in enumerate((0.7, 0.8))],
        "params",
    )
    pruned, uniform, dense = (
        sorted(front.points, key=lambda p: p.origin)[1:] + sorted(front.points, key=lambda p: p.origin)[:1]
    )
    assert (uniform.accuracy.mean, uniform.accuracy.std, uniform.accuracy.n) == pytest.approx((0.6, 0.1, 3))
    assert pruned.on_front
    assert dense.on_front
    assert not uniform.on_front
    assert uniform.dominated_by == pruned.architecture
    assert front.dense is not None
    assert front.dense.params == 1000
    assert set(front.hypervolume) == {"slimming", "uniform"}


def test_the_front_is_decided_by_the_holdout_and_reported_by_the_test_images() -> None:
    lucky = candidate("uniform", keep=0.1)
    front = pareto(
        [outcome("pruned", keep=0.1, accuracy=0.7), (lucky, result(lucky, 0.6).model_copy(update={"accuracy": 0.9}))],
        "params",
    )
    assert {(point.origin, point.on_front, point.accuracy.mean) for point in front.points} == {
        ("pruned", True, 0.7),
        ("uniform", False, 0.9),
    }


def test_a_methods_parent_is_no_point() -> None:
    parent = outcome("dense", method="slimming", accuracy=0.99, params=1000)
    assert pareto([parent], "macs").points == ()
    assert pareto([parent], "macs").dense is None


def test_nothing_yet_is_an_empty_front() -> None:
    assert pareto([], "latency").model_dump() == {"cost": "latency", "dense": None, "points": (), "hypervolume": {}}
