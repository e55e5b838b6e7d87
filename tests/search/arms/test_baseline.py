"""Baselines: every budget in every way of training that needs no parent."""

from __future__ import annotations

import pytest

from espalier.search.arms.dense import Dense
from espalier.search.arms.uniform import Uniform
from espalier.search.spec import Budget, JobSpec
from tests.search.helpers import TARGET, question

BUDGET = Budget(metric="params", keep=0.3)


def spec(**changes: object) -> JobSpec:
    return JobSpec.model_validate({"target": TARGET, "budgets": (BUDGET,), "seeds": (5, 2), **changes})


def test_it_is_planned_in_every_way_that_needs_no_parent() -> None:
    asked = question(spec(inits=["scratch", "inherited", "distilled"], match=["epochs", "pipeline"]))
    planned = [*Uniform.plan(asked)]
    found = {(one.seed, one.origin.name, one.recipe.match) for one in planned}
    names = ("uniform", "uniform distilled")
    assert found == {(seed, name, match) for seed in (5, 2) for name in names for match in ("epochs", "pipeline")}
    assert len(planned) == len(found)


@pytest.mark.parametrize("parents", ["per_seed", "one"])
def test_who_is_taught_needs_the_dense_network_of_its_seed_or_the_first(parents: str) -> None:
    for one in Uniform.plan(question(spec(inits=["scratch", "distilled"], parents=parents))):
        taught, seed = one.origin.init == "distilled", one.seed if parents == "per_seed" else 5
        assert {role: (need.origin, need.seed) for role, need in one.needs.items()} == (
            {"teacher": (Dense(), seed)} if taught else {}
        )


def test_a_job_that_names_no_baseline_has_none() -> None:
    assert [*Uniform.plan(question(spec(baselines=[])))] == []


def test_fresh_weights_are_not_worth_a_word() -> None:
    assert Uniform(budget=BUDGET).model_dump() == {"kind": "uniform", "budget": BUDGET.model_dump()}
