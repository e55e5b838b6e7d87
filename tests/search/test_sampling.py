"""Optuna's samplers, asked and told."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.search.sampling import SAMPLERS, SamplerName, Sampling, shares_of

LOW = {"stage 0": 0.1, "stage 1": 0.25}
names = pytest.mark.parametrize("name", SAMPLERS)


def searched(
    name: SamplerName, seed: int = 0, trials: int = 40, known: Any = ()
) -> list[tuple[dict[str, float], float]]:
    """What is proposed where the second stage is worth three times the first, with what it is worth."""
    sampling, found = Sampling(name, seed, trials, LOW, {"params": 0.6}), []
    for number in range(trials):
        trial = sampling.ask(known[number] if number < len(known) else None)
        first, second = trial.params["stage 0"], trial.params["stage 1"]
        sampling.tell(trial, {"params": (first + second) / 2}, first + 3 * second)
        found.append((trial.params, (first + second) / 2))
    return found


@names
def test_proposals_lie_between_the_least_and_one(name: SamplerName) -> None:
    for params, _ in searched(name):
        assert {*params} == {*LOW}
        assert all(LOW[key] <= value <= 1 for key, value in params.items())


@names
def test_the_same_seed_and_answers_give_the_same_proposals(name: SamplerName) -> None:
    assert searched(name) == searched(name) != searched(name, seed=1)


@names
def test_what_is_known_from_elsewhere_is_asked_first_and_inside_the_space(name: SamplerName) -> None:
    known = [{"stage 0": 0.5, "stage 1": 0.75}, {"stage 0": 0.01, "stage 1": 2.0}]
    first, second, *_ = searched(name, known=known)
    assert first[0] == known[0]
    assert second[0] == {"stage 0": 0.1, "stage 1": 1.0}


def test_tpe_learns_where_accuracy_is_cheap_and_budgets_are_met() -> None:
    """Random proposals keep as much of one stage as of the other, and meet the budget half of the time."""
    late = {name: searched(name, trials=80)[40:] for name in ("tpe", "random")}  # type: ignore[arg-type]

    def mean(name: str, value: Any) -> float:
        return sum(map(value, late[name])) / len(late[name])

    assert (
        mean("tpe", lambda one: one[0]["stage 1"] - one[0]["stage 0"])
        > mean("random", lambda one: one[0]["stage 1"] - one[0]["stage 0"]) + 0.1
    )
    assert mean("tpe", lambda one: one[1] <= 0.6) > mean("random", lambda one: one[1] <= 0.6)


@names
def test_failures_are_taken(name: SamplerName) -> None:
    sampling = Sampling(name, 0, 10, LOW, {"params": 0.5, "macs": 0.7})
    for number in range(12):
        trial = sampling.ask()
        if number % 2:
            sampling.fail(trial)
        else:
            sampling.tell(trial, {"params": 0.5, "macs": 0.9}, 0.5)


def test_shares_are_of_stages() -> None:
    stages = [[("a", 10), ("b", 30)], [("c", 8)]]
    assert shares_of({"a": 5, "b": 5, "c": 2}, stages) == (0.25, 0.25)


def test_every_cost_has_a_limit_of_its_own() -> None:
    """The first stage is what parameters are, the second what multiply-adds are: both are kept below their limits."""
    sampling, late = Sampling("tpe", 0, 80, LOW, {"params": 0.4, "macs": 0.8}), []
    for _ in range(80):
        trial = sampling.ask()
        costs = {"params": trial.params["stage 0"], "macs": trial.params["stage 1"]}
        sampling.tell(trial, costs, sum(costs.values()))
        late.append(costs)
    mean = {name: sum(one[name] for one in late[40:]) / 40 for name in ("params", "macs")}
    assert mean["params"] < 0.45 < mean["macs"]
