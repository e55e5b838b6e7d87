"""Ways of training side by side: each that is asked for, once, with its recipe."""

from __future__ import annotations

from typing import Any

from espalier.search.arms.ways import dense_recipe, from_scratch, ways
from espalier.search.question import Question
from espalier.search.recipe import Distillation, FineTuning, fine_tuning
from espalier.search.spec import Budget, JobSpec, MethodSpec, Ratios
from tests.search.helpers import SLIMMING, TARGET, question

BUDGET, RATIOS = Budget(metric="params", keep=0.3), Ratios(by="stage", ratios={"0": 0.5})
L1 = MethodSpec(name="l1_norm")


def asked(**changes: Any) -> Question:
    return question(JobSpec.model_validate({"target": TARGET, **changes}))


def test_without_a_word_it_is_the_recipe_from_scratch() -> None:
    one = asked()
    (way,) = ways(one, SLIMMING, BUDGET)
    assert (way.init, way.recipe, way.lr) == ("scratch", one.recipe, None)


def test_the_recipes_own_match_counts_where_none_are_side_by_side() -> None:
    assert [way.recipe.match for way in ways(asked(recipe={"match": "compute"}), SLIMMING, BUDGET)] == ["compute"]
    both = asked(recipe={"match": "compute"}, match=["epochs", "pipeline"])
    assert [way.recipe.match for way in ways(both, SLIMMING, BUDGET)] == ["epochs", "pipeline"]


def test_starts_and_lengths_are_side_by_side_and_fine_tuning_has_one_length() -> None:
    one = asked(inits=["inherited", "scratch", "distilled"], match=["epochs", "compute"])
    found = {(way.init, way.recipe.match) for way in ways(one, SLIMMING, BUDGET)}
    assert found == {
        ("inherited", "epochs"),
        ("scratch", "epochs"),
        ("scratch", "compute"),
        ("distilled", "epochs"),
        ("distilled", "compute"),
    }


def test_only_who_is_taught_has_a_teacher() -> None:
    how = Distillation(temperature=2.0, weight=0.5)
    one = asked(inits=["scratch", "inherited", "distilled"], distillation=how.model_dump())
    assert {way.init: way.recipe.distillation for way in ways(one, SLIMMING, BUDGET)} == {
        "scratch": None,
        "inherited": None,
        "distilled": how,
    }


def test_fine_tuning_is_the_methods_own_or_at_every_rate_that_is_tried() -> None:
    own = FineTuning(epochs=0.5, lr=0.1)
    one = asked(inits=["inherited"]).model_copy(update={"fine_tuning": {"slimming": own}})
    (way,) = ways(one, SLIMMING, BUDGET)
    assert (way.recipe, way.lr) == (fine_tuning(one.recipe, own), None)
    how = FineTuning(epochs=1.0, lr=1.0, schedule="step")
    theirs = asked(inits=["inherited"], fine_tuning=how.model_dump()).model_copy(
        update={"fine_tuning": one.fine_tuning}
    )
    (way,) = ways(theirs, SLIMMING, BUDGET)
    assert way.recipe == fine_tuning(one.recipe, how), "what a job says counts for every method"
    tried = asked(inits=["inherited"], tune_lr=[0.1, 0.01])
    assert [(way.lr, way.recipe.lr) for way in ways(tried, SLIMMING, BUDGET)] == [(0.1, 0.1), (0.01, 0.01)]


def test_a_pipeline_that_is_matched_fine_tunes_as_long_as_the_job_does() -> None:
    longer = asked(inits=["inherited", "scratch"], match=["pipeline", "epochs"], fine_tuning={"epochs": 2.0})
    found = {way.recipe.match: way.recipe.tuning for way in ways(longer, SLIMMING, BUDGET) if way.init == "scratch"}
    assert found == {"pipeline": 2.0, "epochs": 0.25}
    own = asked(methods=[L1, SLIMMING], match=["pipeline"]).model_copy(
        update={"fine_tuning": {"l1_norm": FineTuning(epochs=0.1), "slimming": FineTuning(epochs=0.2)}}
    )
    assert [way.recipe.tuning for way in ways(own, SLIMMING, BUDGET)] == [0.2], "the longest, for all"


def test_untuned_weights_are_not_trained_whatever_else_is_asked() -> None:
    one = asked(inits=["scratch", "untuned", "inherited"], match=["epochs", "pipeline"], tune_lr=[0.1, 0.01])
    found = [way for way in ways(one, SLIMMING, BUDGET) if way.init == "untuned"]
    assert [(way.recipe.last_step, way.recipe.match, way.lr) for way in found] == [(0, "epochs", None)]
    given = asked(methods=[L1], inits=["scratch", "untuned"]).model_copy(update={"given": ("l1_norm",)})
    assert [way.init for way in ways(given, L1, BUDGET)] == ["untuned"], "uniform widths are a baseline"
    assert [*ways(given.model_copy(update={"untrained": ("l1_norm",)}), L1, BUDGET)] == []
    assert [way.init for way in from_scratch(asked(inits=["untuned"]))] == ["scratch"]


def test_what_has_no_parent_is_trained_from_scratch_though_others_inherit() -> None:
    one = asked(inits=["inherited"], match=["compute"])
    assert [(way.init, way.recipe.match) for way in from_scratch(one)] == [("scratch", "compute")]


def test_the_dense_network_is_trained_once_whatever_is_matched() -> None:
    assert dense_recipe(asked(recipe={"match": "compute"}, match=["pipeline"])) == dense_recipe(asked())


def test_networks_that_are_the_same_from_scratch_are_trained_once() -> None:
    both = asked(methods=[L1, SLIMMING], inits=["scratch", "inherited"], baselines=["uniform"])
    both = both.model_copy(update={"given": ("l1_norm",)})

    def starts(question: Question, method: MethodSpec, budget: Budget | Ratios) -> list[str]:
        return [way.init for way in ways(question, method, budget)]

    assert starts(both, SLIMMING, BUDGET) == starts(both, L1, RATIOS) == ["scratch", "inherited"]
    assert starts(both, L1, BUDGET) == ["inherited"], "uniform widths are a baseline"
    assert starts(both, SLIMMING, RATIOS) == ["inherited"], "the first method trains them"
    without = both.model_copy(update={"spec": both.spec.model_copy(update={"baselines": ()})})
    assert starts(without, L1, BUDGET) == ["scratch", "inherited"]
    selecting = both.model_copy(update={"selects": True})
    assert starts(selecting, L1, BUDGET) == ["scratch", "inherited"], "which channels stay matters"
    alone = both.model_copy(update={"spec": both.spec.model_copy(update={"inits": ("scratch",)})})
    assert starts(alone, L1, BUDGET) == ["scratch"], "else there were nothing of it"
