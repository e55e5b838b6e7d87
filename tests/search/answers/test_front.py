"""The front against its definition."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.search.answers.front import fronts, pareto, undominated
from espalier.search.results import Latency, Metric
from espalier.search.spec import MethodSpec
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
    assert uniform.dominated_by == pruned.arm.id
    assert front.dense is not None
    assert front.dense.params == 1000
    assert front.hypervolume == pytest.approx({"slimming": 0.75, "uniform": 0.6})
    assert front.hypervolume_from == 100
    interval = front.hypervolume_intervals["uniform"]
    assert interval is not None
    assert interval == pytest.approx((0.6 - 4.303 * 0.1 / 3**0.5, 0.6 + 4.303 * 0.1 / 3**0.5), abs=1e-4)


def test_hypervolumes_are_over_costs_that_every_arm_has_a_network_for() -> None:
    known = [
        outcome("dense", accuracy=0.9, params=1000),
        outcome("pruned", keep=0.1, accuracy=0.8, params=100),
        outcome("pruned", keep=0.01, accuracy=0.5, params=10),
        outcome("uniform", keep=0.1, accuracy=0.7, params=100),
    ]
    front = pareto(known, "params")
    assert (front.hypervolume, front.hypervolume_from) == ({"slimming": 0.8, "uniform": 0.7}, 100)
    useless = pareto([*known, outcome("uniform", keep=0.001, accuracy=0.1, params=1)], "params")
    assert useless.hypervolume["uniform"] < front.hypervolume["uniform"]
    assert pareto(known[1:], "params").hypervolume == {}, "no dense network to end at"
    whole = outcome("random", keep=1.0, accuracy=0.9, params=990)
    assert pareto([*known, whole], "params").hypervolume == front.hypervolume, "it has nothing cheaper"


def test_the_front_is_decided_by_the_holdout_and_reported_by_the_test_images() -> None:
    lucky = candidate("uniform", keep=0.1)
    front = pareto(
        [
            outcome("pruned", keep=0.1, accuracy=0.7),
            (lucky, result(lucky, 0.6).model_copy(update={"test": {"accuracy": 0.9}})),
        ],
        "params",
    )
    assert {(point.origin, point.on_front, point.accuracy.mean) for point in front.points} == {
        ("pruned", True, 0.7),
        ("uniform", False, 0.9),
    }


def test_a_methods_parent_is_no_point() -> None:
    parent = outcome("sparse", accuracy=0.99, params=1000)
    assert pareto([parent], "macs").points == ()
    assert pareto([parent], "macs").dense is None


def test_nothing_yet_is_an_empty_front() -> None:
    front = pareto([], "latency")
    assert (front.cost, front.dense, front.points, front.hypervolume) == ("latency", None, (), {})


def test_where_less_is_better_the_front_is_the_other_way_round() -> None:
    def error(kind: str, value: float) -> Any:
        one = candidate(kind, keep=0.1)
        numbers = {"error": value}
        return one, result(one, metric=Metric(name="error", higher_is_better=False), holdout=numbers, test=numbers)

    front = pareto([error("pruned", 0.1), error("uniform", 0.3)], "params")
    assert {(point.origin, point.on_front) for point in front.points} == {("pruned", True), ("uniform", False)}


def test_one_method_with_two_options_is_two_curves() -> None:
    def at(strength: float, accuracy: float) -> Any:
        one = candidate("pruned", keep=0.1)
        method = MethodSpec(name="slimming", options={"strength": strength})
        one = one.model_copy(update={"origin": one.origin.model_copy(update={"method": method})})
        return one, result(one, accuracy, params=100)

    front = pareto([outcome("dense", accuracy=0.9, params=1000), at(1.0, 0.5), at(2.0, 0.6)], "params")
    assert {point.arm.name for point in front.points} == {"dense", "slimming strength=1", "slimming strength=2"}
    assert front.hypervolume == pytest.approx({"slimming strength=1": 0.5, "slimming strength=2": 0.6})


def test_only_metrics_that_all_seeds_have_are_reported() -> None:
    newer, older = candidate("dense", seed=0), candidate("dense", seed=1)
    test = {"accuracy": 0.5, "top5": 0.9}
    front = pareto([(newer, result(newer, test=test)), (older, result(older))], "params")
    assert set(front.points[0].metrics) == {"accuracy"}
    assert set(pareto([(newer, result(newer, test=test))], "params").points[0].metrics) == {"accuracy", "top5"}


@pytest.mark.parametrize("cost", ["params", "macs", "latency"])
def test_points_come_in_the_order_of_their_cost(cost: Any) -> None:
    found = []
    for i, keep in enumerate((0.1, 0.2, 0.3, 0.4)):
        one = candidate("pruned", keep=keep)
        found.append((one, result(one, keep, 100 - i, (i * 7) % 5 + 1, latency_ms=(i * 3) % 7 + 1.0)))
    name = "latency_ms" if cost == "latency" else cost
    costs = [getattr(point, name) for point in pareto(found, cost).points]
    assert costs == sorted(costs)


def measured(one: float, many: float) -> tuple[Latency, ...]:
    told: dict[str, Any] = {"threads": 1, "machine": "none", "runs": 3}
    return tuple(
        Latency(images=images, median_ms=ms, quartiles_ms=(ms - 1, ms + 1), **told)
        for images, ms in ((1, one), (8, many))
    )


def test_latency_is_what_was_measured_when_all_was_trained() -> None:
    outcomes = [outcome("random", params=100 + seed, seed=seed) for seed in range(2)] + [outcome("dense", params=1000)]
    known = {found.config.id: measured(10.0 * (i + 1), 100.0 * (i + 1)) for i, (_, found) in enumerate(outcomes)}
    front = pareto(outcomes, "latency", known)
    point = next(one for one in front.points if one.origin == "random")
    assert point.latency_ms == 15
    assert [(one.images, one.median_ms, one.quartiles_ms) for one in point.latency] == [
        (1, 15, (14, 16)),
        (8, 150, (149, 151)),
    ]
    del known[outcomes[0][1].config.id]
    point = next(one for one in pareto(outcomes, "latency", known).points if one.origin == "random")
    assert (point.latency_ms, point.latency) == (1.0, ()), "of all its seeds, or as it was seen in training"


@pytest.mark.parametrize(
    ("small", "notes"),
    [
        ((2.0, 20.0), []),
        ((9.5, 20.0), ["1 of 1 networks with at most half of the parameters take at least 90 % of the whole network's time (1 image at once, 1 thread)"]),
        ((9.5, 99.0), ["(1 image at once", "(8 images at once"]),
    ],
)  # fmt: skip
def test_it_is_said_where_fewer_parameters_are_not_less_time(small: tuple[float, float], notes: list[str]) -> None:
    outcomes = [outcome("dense", params=1000), outcome("uniform", params=400), outcome("random", params=900)]
    whole, few, most = (found.config.id for _, found in outcomes)
    known = {whole: measured(10, 100), few: measured(*small), most: measured(10, 100)}
    found = pareto(outcomes, "params", known).notes
    assert len(found) == len(notes)
    assert all(words in note for words, note in zip(notes, found, strict=True))
    assert pareto(outcomes[1:], "params", known).notes == pareto(outcomes, "params").notes == ()


def test_fronts_over_several_costs_are_the_same_as_one_by_one() -> None:
    found = [
        outcome("dense", accuracy=0.9, params=1000),
        outcome("pruned", keep=0.1, accuracy=0.8, params=100),
        outcome("uniform", keep=0.1, accuracy=0.7, params=90),
    ]
    assert fronts(found, ["params", "macs"]) == {cost: pareto(found, cost) for cost in ("params", "macs")}
    assert fronts([], ["macs"]) == {"macs": pareto([], "macs")}
