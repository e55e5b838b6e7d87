"""From specs to candidates: each once, parents first, restart by subtraction."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from espalier.search.errors import SpecError, UnknownName
from espalier.search.plan import fine_tuning, hopeless, orphans, plan, ready, recipe_of
from espalier.search.types import JobSpec, Plan

LEAST = {"target": {"arch": "vgg11", "dataset": "digits"}}


def planned(**changes: object) -> Plan:
    return plan(JobSpec.model_validate(LEAST | changes), "d")


def test_the_default_is_one_parent_three_dense_and_two_arms_at_three_budgets() -> None:
    candidates = planned().candidates
    kinds = [(c.origin.kind, c.method) for c in candidates]
    assert kinds.count(("dense", "slimming")) == 1
    assert kinds.count(("dense", None)) == 3
    assert kinds.count(("pruned", "slimming")) == kinds.count(("uniform", None)) == 9
    assert len({c.key for c in candidates}) == len(candidates)


def test_parents_come_first_and_have_the_first_seed() -> None:
    candidates = planned(seeds=[4, 2]).candidates
    position = {c.key: i for i, c in enumerate(candidates)}
    for candidate in candidates:
        if candidate.parent:
            assert position[candidate.parent] < position[candidate.key]
            assert candidates[position[candidate.parent]].seed == 4


def test_a_key_is_all_that_decides_the_result_and_nothing_else() -> None:
    assert planned(name="a").candidates == planned(name="b", keep_weights=False).candidates
    for change in (
        {"recipe": {"lr": 0.2}},
        {"floor": 0.2},
        {"methods": [{"name": "slimming", "options": {"strength": 2}}]},
    ):
        ours, theirs = {c.key for c in planned().candidates}, {c.key for c in planned(**change).candidates}
        assert any(key not in ours for key in theirs)


def test_what_is_left_is_the_plan_minus_what_is_done() -> None:
    everything = planned()
    parent = everything.candidates[0]
    first = ready(everything, done=())
    assert {c.parent for c in first} == {None}
    later = ready(everything, done={parent.key})
    assert parent not in later
    assert sum(c.parent == parent.key for c in later) == 9
    assert ready(everything, done={c.key for c in everything.candidates}) == []
    assert not any(c.parent for c in ready(everything, done=(), failed={parent.key}))


def test_a_job_is_hopeless_once_one_side_of_the_comparison_is_gone() -> None:
    everything = planned(baselines=["uniform", "random"])

    def keys(*kinds: str) -> set[str]:
        return {c.key for c in everything.candidates if c.origin.kind in kinds}

    assert not hopeless(everything, ())
    assert hopeless(everything, {everything.candidates[0].key})  # the parent: nothing can be pruned
    assert not hopeless(everything, keys("uniform"))
    assert hopeless(everything, keys("uniform", "random"))
    assert not hopeless(planned(baselines=[]), keys("uniform"))
    assert hopeless(planned(methods=[], baselines=[], budgets=[]), keys("dense"))


def test_inherited_weights_are_fine_tuned_for_a_quarter() -> None:
    candidates = planned(inits=["scratch", "inherited"], recipe={"epochs": 8}).candidates
    inherited = [c for c in candidates if c.init == "inherited"]
    assert {c.recipe.epochs for c in inherited} == {2}
    assert {c.recipe.schedule for c in inherited} == {"constant"}
    assert fine_tuning(inherited[0].recipe.model_copy(update={"small_first": 0.5})).small_first == 0
    assert fine_tuning(inherited[0].recipe).epochs == 1


def test_children_of_a_failed_parent_are_orphans() -> None:
    everything = planned()
    parent = everything.candidates[0]
    assert {c.origin.kind for c in orphans(everything, {parent.key})} == {"pruned"}
    assert orphans(everything, {parent.key, *(c.key for c in everything.candidates if c.parent)}) == []
    assert orphans(everything, ()) == []


def test_a_job_of_too_many_candidates_is_refused() -> None:
    budgets = [{"metric": "params", "keep": i / 100} for i in range(1, 65)]
    with pytest.raises(SpecError, match=r"8,256 candidates; the most a job may have is 5,000"):
        planned(seeds=list(range(64)), budgets=budgets)


def test_a_changed_candidate_has_a_key_of_its_own() -> None:
    candidate = planned().candidates[1]
    assert candidate.model_copy(update={"seed": candidate.key and 9}).key != candidate.key
    assert candidate.model_copy().key == candidate.key


def test_other_images_are_other_candidates() -> None:
    spec = JobSpec.model_validate(LEAST)
    assert not {c.key for c in plan(spec, "a").candidates} & {c.key for c in plan(spec, "b").candidates}


def test_a_recipe_is_a_preset_with_changes() -> None:
    spec = JobSpec.model_validate(LEAST | {"recipe": {"preset": "paper", "epochs": 7}})
    assert (recipe_of(spec).epochs, recipe_of(spec).schedule) == (7, "step")
    with pytest.raises(UnknownName, match="no recipe 'slow'; there are: quick, paper"):
        planned(recipe={"preset": "slow"})
    with pytest.raises(SpecError, match="nesterov needs a momentum above 0"):
        planned(recipe={"momentum": 0})
    with pytest.raises(UnknownName, match="no data set 'imagenet'; there are: digits"):
        planned(target={"arch": "vgg11", "dataset": "imagenet"})


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": []}, {"seeds": [1, 1]}, {"seeds": [-1]}, {"seeds": [1.5]}, {"seeds": list(range(100))},
        {"budgets": []}, {"budgets": [{"metric": "params", "keep": 0}]}, {"budgets": [{"metric": "params", "keep": 1.1}]},
        {"budgets": [{"metric": "params", "keep": float("nan")}]}, {"budgets": [{"metric": "flops", "keep": 0.5}]},
        {"budgets": [{"metric": "params", "keep": 0.5}] * 2}, {"methods": [], "baselines": []}, {"inits": []},
        {"methods": [{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2}}]}, {"name": "a\u0000b"},
        {"target": {"arch": "vgg11", "options": {"x": "\ud800"}, "dataset": "digits"}},
        {"baselines": ["uniform", "uniform"]}, {"extra": 1}, {"floor": 0}, {"name": "x" * 201},
        {"recipe": {"lr": float("inf")}}, {"recipe": {"epochs": 0}}, {"recipe": {"batch_size": 10**9}},
    ],
)  # fmt: skip
def test_a_spec_that_cannot_work_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        JobSpec.model_validate(LEAST | change)
