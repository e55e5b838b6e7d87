"""Candidates: a key for everything that decides a result, an arm for all but the seed, and what may run now."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from espalier.search.candidates import Candidate, blocked, is_undecidable, ready
from espalier.search.spec import JobSpec
from tests.search.helpers import candidate
from tests.search.helpers import planned as planned_of

LEAST: dict[str, Any] = {"target": {"arch": "vgg11", "dataset": "digits"}}


def planned(**changes: object) -> list[Candidate]:
    return planned_of(JobSpec.model_validate(LEAST | changes))


def test_a_key_is_all_that_decides_the_result_and_nothing_else() -> None:
    assert planned(name="a") == planned(name="b", keep_weights=False)
    for change in (
        {"recipe": {"lr": 0.2}},
        {"minimum_keep": 0.2},
        {"methods": [{"name": "slimming", "options": {"strength": 2}}]},
    ):
        ours, theirs = {c.key for c in planned()}, {c.key for c in planned(**change)}
        assert any(key not in ours for key in theirs)


def test_what_is_left_is_the_plan_minus_what_is_done() -> None:
    everything = planned()
    parent = everything[0]
    first = ready(everything, done=())
    assert all(not c.needs for c in first)
    later = ready(everything, done={parent.key})
    assert parent not in later
    assert sum(c.needs == {"parent": parent.key} for c in later) == 3
    assert ready(everything, done={c.key for c in everything}) == []
    assert not any(c.needs for c in ready(everything, done=(), failed={parent.key}))


def test_a_job_is_undecidable_once_one_side_of_the_comparison_is_gone() -> None:
    everything = planned(baselines=["uniform", "random"])

    def keys(*kinds: str) -> set[str]:
        return {c.key for c in everything if c.origin.kind in kinds}

    assert not is_undecidable(everything, ())
    assert not is_undecidable(everything, {everything[0].key})  # the parent of one seed
    assert is_undecidable(everything, keys("sparse"))  # nothing can be pruned
    assert not is_undecidable(everything, keys("uniform"))
    assert is_undecidable(everything, keys("uniform", "random"))
    assert not is_undecidable(planned(baselines=[]), keys("uniform"))
    assert is_undecidable(planned(methods=[], baselines=[], budgets=[]), keys("dense"))


def test_a_second_method_keeps_the_job_alive_when_the_first_ones_parent_fails() -> None:
    both = planned(methods=[{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2}}])
    parents = [c for c in both if c.origin.kind == "sparse"]
    assert not is_undecidable(both, {parent.key for parent in parents if "strength" in parent.label})
    assert is_undecidable(both, {parent.key for parent in parents})


def test_children_of_a_failed_parent_are_blocked() -> None:
    everything = planned()
    parent = everything[0]
    assert {c.origin.kind for c in blocked(everything, {parent.key})} == {"pruned"}
    assert blocked(everything, {parent.key, *(c.key for c in everything if c.needs)}) == []
    assert blocked(everything, ()) == []


def test_a_changed_candidate_has_a_key_of_its_own() -> None:
    candidate = planned()[1]
    assert candidate.model_copy(update={"seed": candidate.key and 9}).key != candidate.key
    assert candidate.model_copy().key == candidate.key


def test_other_images_are_other_candidates() -> None:
    spec = JobSpec.model_validate(LEAST)
    assert not {c.key for c in planned_of(spec, "a")} & {c.key for c in planned_of(spec, "b")}


def test_a_stored_candidate_keeps_the_key_it_was_stored_under() -> None:
    one = candidate("uniform")
    again = Candidate.stored(one.model_dump(mode="json"), "an earlier key")
    assert again == one
    assert (again.key, again.arm) == ("an earlier key", one.arm)
    assert again.model_copy(update={"seed": 1}).key == one.model_copy(update={"seed": 1}).key
    assert Candidate.stored(one.model_dump(mode="json"), one.key).key == one.key


def test_seeds_and_parents_of_one_arm_are_samples_of_it() -> None:
    one = candidate("pruned", needs={"parent": "a"})
    assert candidate("pruned", seed=7, needs={"parent": "b"}).arm == one.arm
    others = [
        candidate("pruned", keep=0.4), candidate("pruned", metric="macs"), candidate("pruned", init="inherited"),
        candidate("uniform"), candidate("random"), candidate("dense"),
        one.model_copy(update={"minimum_keep": 0.2}), one.model_copy(update={"data": "e"}),
        one.model_copy(update={"recipe": one.recipe.model_copy(update={"lr": 0.2})}),
    ]  # fmt: skip
    assert len({one.arm.id, *(other.arm.id for other in others)}) == 1 + len(others)


@pytest.mark.parametrize(
    ("one", "label"),
    [
        (candidate("sparse"), "slimming parent seed 0"),
        (candidate("dense", seed=3), "dense seed 3"),
        (candidate("pruned", keep=0.1, seed=2), "slimming params=0.1 seed 2"),
        (candidate("pruned", init="inherited"), "slimming inherited params=0.5 seed 0"),
        (candidate("uniform", metric="macs"), "uniform macs=0.5 seed 0"),
        (candidate("random"), "random params=0.5 seed 0"),
    ],
)
def test_a_label_is_for_people(one: Candidate, label: str) -> None:
    assert one.label == label
    assert one.arm.label == label.rpartition(" seed ")[0]
    assert one.arm.name == one.arm.label.removesuffix(f" {one.budget}")


def test_arms_of_one_name_are_the_points_of_one_curve() -> None:
    assert {candidate("pruned", keep=keep).arm.name for keep in (0.1, 0.2, 0.3)} == {"slimming"}
    assert len({candidate("pruned", keep=keep).arm.label for keep in (0.1, 0.2, 0.3)}) == 3


def test_what_a_kind_does_not_have_is_not_there() -> None:
    dense, pruned = candidate("dense"), candidate("pruned", init="inherited")
    assert (dense.method, dense.budget, dense.init) == (None, None, "scratch")
    assert (pruned.method, str(pruned.budget), pruned.init) == ("slimming", "params=0.5", "inherited")


def test_a_kind_that_does_not_exist_is_refused() -> None:
    raw = candidate("dense").model_dump(mode="json")
    with pytest.raises(
        ValidationError, match="'sparse', 'dense', 'pruned', 'guided', 'guided_weights', 'uniform', 'random'"
    ):
        Candidate.read(raw | {"origin": {"kind": "magic"}})
