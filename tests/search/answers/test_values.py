"""The values of answers: means over seeds, and results by arm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.search.answers.values import Pareto, by_arm, rising, sample, with_role
from espalier.search.candidates import Candidate
from espalier.search.results import Result
from espalier.search.spec import Ratios
from tests.search.helpers import candidate, outcome, result


def test_a_sample_of_one_has_no_deviation() -> None:
    assert sample([0.5]).std is None
    assert sample([0.4, 0.6]).std == pytest.approx(0.1414, abs=1e-4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_a_mean_lies_among_its_values(values: list[float]) -> None:
    found = sample(values)
    assert min(values) - 1e-12 <= found.mean <= max(values) + 1e-12
    assert found.n == len(values)
    assert (found.std is None) == (len(values) == 1)


def test_what_rises_is_what_no_cheaper_point_is_as_good_as() -> None:
    points = [(3, 0.7), (1, 0.5), (2, 0.5), (2, 0.6), (4, 0.65), (5, 0.7 + 1e-12)]
    assert rising(points, lambda point: point) == [(1, 0.5), (2, 0.6), (3, 0.7), (5, 0.7 + 1e-12)]
    assert rising(points, lambda point: point, by=1e-9) == [(1, 0.5), (2, 0.6), (3, 0.7)]
    assert rising([], lambda point: point) == []


def test_results_of_one_arm_stand_together_in_the_order_of_their_first() -> None:
    outcomes = [
        outcome("uniform", seed=0), outcome("pruned", seed=0), outcome("sparse"), outcome("uniform", seed=1),
        outcome("pruned", seed=0, keep=0.1), outcome("pruned", seed=1),
    ]  # fmt: skip
    groups = by_arm(outcomes)
    assert [(group.arm.label, len(group.results)) for group in groups] == [
        ("uniform params=0.5", 2), ("slimming params=0.5", 2), ("slimming params=0.1", 1),
    ]  # fmt: skip
    assert all(group.arm == group.candidate.arm for group in groups)
    assert str(groups[2].budget) == "params=0.1"


def tuned(lr: float, holdout: float, seed: int, keep: float = 0.5) -> tuple[Candidate, Result]:
    one = candidate("pruned", keep=keep, init="inherited", seed=seed)
    changes = {
        "origin": one.origin.model_copy(update={"lr": lr}), "recipe": one.recipe.model_copy(update={"lr": lr})
    }  # fmt: skip
    one = one.model_copy(update=changes)
    return one, result(one, accuracy=1 - holdout, holdout={"accuracy": holdout})


def test_of_several_rates_the_one_that_is_best_on_the_holdout_counts() -> None:
    high, low = (0.1, 0.8), (0.01, 0.7)
    outcomes = [tuned(lr, value + 0.1 * seed, seed) for lr, value in (low, high) for seed in (0, 1)]
    outcomes += [tuned(low[0], 0.9, 0, keep=0.2), tuned(high[0], 0.9, 0, keep=0.2), outcome("pruned", init="inherited")]
    groups = by_arm(outcomes)
    assert [(group.arm.label, len(group.results)) for group in groups] == [
        ("slimming inherited params=0.5 lr=0.1", 2),
        ("slimming inherited params=0.2 lr=0.01", 1),
        ("slimming inherited params=0.5", 1),
    ]
    assert {group.arm.name for group in groups} == {"slimming inherited"}


def test_curves_are_the_points_of_one_name() -> None:
    groups = by_arm([outcome("pruned", keep=keep) for keep in (0.1, 0.2)] + [outcome("uniform"), outcome("dense")])
    assert {name: len(found) for name, found in with_role(groups, "automatic").items()} == {"slimming": 2}
    assert set(with_role(groups, "baseline", "reference")) == {"uniform", "dense"}
    assert with_role(groups) == {}


def test_a_front_survives_json() -> None:
    from espalier.search.answers.front import pareto

    front = pareto([outcome("dense", params=1000), outcome("pruned"), outcome("uniform", accuracy=0.4)], "macs")
    assert Pareto.model_validate_json(front.model_dump_json()) == front


def test_a_rate_at_which_seeds_failed_is_not_chosen_for_those_that_are_left() -> None:
    outcomes = [tuned(0.01, 0.8, seed) for seed in range(3)] + [tuned(0.5, 0.9, 0)]
    (group,) = by_arm(outcomes)
    assert (group.lr, len(group.results)) == (0.01, 3)


def test_budgets_of_one_name_are_two() -> None:
    outcomes = []
    for metric in ("params", "macs"):
        one, found = tuned(0.1, 0.8, 0)
        ratios = Ratios(by="stage", ratios={"0": 0.5}, metric=metric, name="A")  # type: ignore[arg-type]
        one = one.model_copy(update={"origin": one.origin.model_copy(update={"budget": ratios})})
        outcomes.append((one, found))
    assert len(by_arm(outcomes)) == 2


def test_of_one_seed_the_last_result_counts() -> None:
    """What a network was chosen from may have changed when its job was retried."""
    first, again, other = (outcome("uniform", accuracy, seed=seed) for accuracy, seed in ((0.1, 0), (0.9, 0), (0.5, 1)))
    again = (again[0].model_copy(update={"needs": {"best": "another draw"}}), again[1])
    (group,) = by_arm([first, other, again])
    assert [result.reported for result in group.results] == [0.9, 0.5]
