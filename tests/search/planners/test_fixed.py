"""The fixed plan: each candidate once, seed by seed, parents first."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.search.candidates import Candidate
from espalier.search.errors import SpecError, UnknownName
from espalier.search.planners import create
from espalier.search.planners.fixed import MOST_CANDIDATES
from espalier.search.recipe import fine_tuning
from espalier.search.results import Execution, Failure, MadeBy, Result
from espalier.search.spec import JobSpec
from tests.search.helpers import planned as planned_of
from tests.search.helpers import question, result

LEAST: dict[str, Any] = {"target": {"arch": "vgg11", "dataset": "digits"}, "baselines": ["uniform"]}


def planned(**changes: object) -> list[Candidate]:
    return planned_of(JobSpec.model_validate(LEAST | changes))


def test_the_default_is_three_parents_three_dense_and_two_arms_at_three_budgets() -> None:
    candidates = planned()
    kinds = [(c.origin.kind, c.method) for c in candidates]
    assert kinds.count(("sparse", "slimming")) == 3
    assert kinds.count(("dense", None)) == 3
    assert kinds.count(("pruned", "slimming")) == kinds.count(("uniform", None)) == 9
    assert len({c.key for c in candidates}) == len(candidates)


@pytest.mark.parametrize("parents", ["per_seed", "one"])
def test_parents_come_first_and_have_their_own_or_the_first_seed(parents: str) -> None:
    candidates = planned(seeds=[4, 2], parents=parents)
    position = {c.key: i for i, c in enumerate(candidates)}
    for candidate in candidates:
        for parent in candidate.needs.values():
            assert position[parent] < position[candidate.key]
            assert candidates[position[parent]].seed == (4 if parents == "one" else candidate.seed)
    assert [c.origin.kind for c in candidates].index("dense") == 1


def test_one_seed_is_finished_before_the_next_begins() -> None:
    seeds = [c.seed for c in planned(seeds=[4, 2, 9], baselines=["random", "uniform"])]
    assert seeds == sorted(seeds, key=[4, 2, 9].index)


def test_seeds_are_added_to_arms_that_take_part_in_an_undecided_answer() -> None:
    """Both methods beat uniform at once at one budget, and never at the other."""
    methods, asked = [{"name": "taylor"}, {"name": "slimming"}], {"from": 3, "most": 8}
    budgets = [{"metric": "params", "keep": keep} for keep in (0.5, 0.1)]
    spec = JobSpec.model_validate(LEAST | {"seeds": asked, "methods": methods, "budgets": budgets})
    planner, done = create(question(spec)), {}

    def accuracy(one: Candidate) -> float:
        better = 0.2 if one.budget is not None and one.budget.keep == 0.1 else 0.0  # type: ignore[union-attr]
        return 0.5 + 0.01 * (one.seed % 3) + (better if one.method else 0.0)

    counts = []
    while new := [one for one in planner.next(done) if one.key not in done]:
        counts.append({(one.origin.kind, str(one.budget), one.seed) for one in new})
        done |= {one.key: result(one, accuracy(one)) for one in new}
    assert [sorted({seed for _, _, seed in count}) for count in counts] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert {budget for kind, budget, _ in counts[0] if kind == "pruned"} == {"params=0.5", "params=0.1"}
    later = {(kind, budget) for count in counts[1:] for kind, budget, _ in count}
    assert later == {("pruned", "params=0.5"), ("uniform", "params=0.5"), ("sparse", "None")}


def test_nothing_more_is_asked_for_before_everything_of_a_look_is_there() -> None:
    spec = JobSpec.model_validate(LEAST | {"seeds": {"from": 2, "most": 4}})
    planner = create(question(spec))
    first = planner.next({})
    assert {one.seed for one in first} == {0, 1}
    some = {one.key: result(one) for one in first[:-1]}
    assert list(planner.next(some)) == list(first)
    late = first[-1]
    assert late.arm.role == "baseline"
    failed = some | {first[-1].key: Failure(key=first[-1].key, error="it failed")}
    assert {one.seed for one in planner.next(failed)} == {0, 1, 2, 3}


def test_no_seeds_are_added_for_comparisons_that_cannot_be_made() -> None:
    spec = JobSpec.model_validate(LEAST | {"seeds": {"from": 2, "most": 4}})
    planner = create(question(spec))
    first = planner.next({})

    def by(release: str, one: Candidate) -> Result:
        return result(one, made_by=MadeBy(espalier=release, torch="0", execution=Execution()))

    upgraded = {one.key: by("2" if one.arm.role == "baseline" else "1", one) for one in first}
    assert len(planner.next(upgraded)) == len(first)
    assert len(planner.next({one.key: by("1", one) for one in first})) > len(first)


def test_inherited_weights_are_fine_tuned_for_a_quarter() -> None:
    candidates = planned(inits=["scratch", "inherited"], recipe={"epochs": 8})
    inherited = [c for c in candidates if c.init == "inherited"]
    assert {c.recipe.epochs for c in inherited} == {2}
    assert {c.recipe.schedule for c in inherited} == {"constant"}
    assert fine_tuning(inherited[0].recipe.model_copy(update={"small_first": 0.5})).small_first == 0
    assert fine_tuning(inherited[0].recipe).epochs == 1


def test_one_method_with_two_options_is_two_arms_with_a_parent_each() -> None:
    candidates = planned(methods=[{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2}}])
    parents = {c.key: c for c in candidates if c.origin.kind == "sparse"}
    pruned = [c for c in candidates if c.origin.kind == "pruned"]
    assert [c.arm.name for c in parents.values()] == ["slimming parent", "slimming strength=2 parent"] * 3
    assert {c.arm.name for c in pruned} == {"slimming", "slimming strength=2"}
    assert all(parents[c.needs["parent"]].arm.name == f"{c.arm.name} parent" for c in pruned)


def test_a_job_of_too_many_candidates_is_refused() -> None:
    budgets = [{"metric": "params", "keep": i / 100} for i in range(1, 65)]
    with pytest.raises(SpecError, match=r"more than 5,000 candidates, the most a job may have: split it"):
        planned(seeds=list(range(64)), budgets=budgets)


def test_a_job_of_just_as_many_as_may_be_is_planned() -> None:
    """For each of 62 seeds a parent, a dense network and two arms at 39 budgets: 4,960."""
    budgets = [{"metric": "params", "keep": i / 100} for i in range(1, 40)]
    candidates = planned(seeds=list(range(62)), budgets=budgets)
    assert len(candidates) == 62 * (1 + 1 + 2 * 39) <= MOST_CANDIDATES
    with pytest.raises(SpecError, match="more than 5,000"):
        planned(seeds=list(range(63)), budgets=budgets)


def test_the_plan_is_the_same_whatever_came_of_it() -> None:
    planner = create(question(JobSpec.model_validate(LEAST)))
    first = planner.next({})
    assert planner.next({first[0].key: result(first[0])}) == first


def test_a_recipe_or_data_set_that_does_not_exist_is_found_before() -> None:
    with pytest.raises(UnknownName, match="no recipe 'slow'; there are: quick, paper"):
        planned(recipe={"preset": "slow"})
    with pytest.raises(SpecError, match="nesterov needs a momentum above 0"):
        planned(recipe={"momentum": 0})
    with pytest.raises(UnknownName, match="no data set 'imagenet'; there are: digits"):
        planned(target={"arch": "vgg11", "dataset": "imagenet"})
