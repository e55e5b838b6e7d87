"""Which network to take for a budget."""

from __future__ import annotations

import pytest

from espalier.search.answers.choice import cheapest, choose
from espalier.search.answers.front import pareto
from tests.search.helpers import outcome


@pytest.mark.parametrize(
    ("most", "kept"),
    [(100e3, "dense"), (40e3, "uniform params=0.3"), (12.5e3, "uniform params=0.1"), (10e3, "uniform params=0.1")],
)
def test_the_best_network_within_a_budget(most: float, kept: str) -> None:
    found = [
        outcome("dense", 0.9, 100_000), outcome("uniform", 0.8, 30_000, keep=0.3), outcome("uniform", 0.6, 10_000, keep=0.1),
        outcome("random", 0.5, 35_000, keep=0.3),
    ]  # fmt: skip
    choice = choose(pareto(found, "params"), found, most)
    assert choice is not None
    assert choice.point.arm.label == kept


def test_where_nothing_is_so_small_there_is_none() -> None:
    found = [outcome("dense", 0.9, 100_000), outcome("uniform", 0.6, 10_000)]
    front = pareto(found, "params")
    assert choose(front, found, 9_999) is None
    assert cheapest(front, found) == 10_000
    assert choose(pareto([], "params"), [], 1e9) is None
    assert cheapest(pareto([], "params"), []) == 0


def test_the_network_to_take_meets_the_budget_itself() -> None:
    """An arm's mean may, where the best of its seeds does not."""
    found = [
        outcome("dense", 0.9, 1000), outcome("pruned", 0.7, 90, seed=0), outcome("pruned", 0.8, 110, seed=1),
    ]  # fmt: skip
    front = pareto(found, "params")
    within, larger = choose(front, found, 100), choose(front, found, 110)
    assert within is not None
    assert larger is not None
    assert (within.seed, within.params, within.architecture) == (0, 90, found[1][1].config.id)
    assert (larger.seed, larger.params, larger.architecture) == (1, 110, found[2][1].config.id)
    assert choose(front, found, 80) is None


def test_a_network_off_the_front_is_neither_taken_nor_named() -> None:
    found = [
        outcome("dense", 0.9, 1000), outcome("pruned", 0.8, 90, seed=0), outcome("pruned", 0.8, 110, seed=1),
        outcome("uniform", 0.7, 80, seed=0), outcome("uniform", 0.7, 130, seed=1),
    ]  # fmt: skip
    front = pareto(found, "params")
    assert choose(front, found, 89) is None
    assert cheapest(front, found) == 90


def test_multiply_adds_and_latency_are_budgets_too() -> None:
    found = [outcome("dense", 0.9, 1000), outcome("uniform", 0.6, 10)]
    for cost in ("macs", "latency"):
        front = pareto(found, cost)  # type: ignore[arg-type]
        least = cheapest(front, found)
        assert choose(front, found, least) is not None
        assert choose(front, found, 0.99 * least) is None
