"""Recipes: what a job may change is what there is, within the same limits, and every copy is checked."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from espalier.search.recipe import SETTABLE, Crop, Distillation, FineTuning, Flip, Recipe, RecipeSpec, fine_tuning

RECIPE = Recipe(epochs=8, batch_size=64, lr=0.1)
LEAST: dict[str, Any] = {"epochs": 1, "batch_size": 1, "lr": 0.1}

INSIDE: dict[str, list[Any]] = {
    "epochs": [1, 10_000],
    "batch_size": [1, 65_536],
    "optimizer": ["sgd", "adam"],
    "lr": [1e-9, 100.0],
    "momentum": [0.1, 0.999],
    "nesterov": [True, False],
    "weight_decay": [0.0, 1.0],
    "schedule": ["step", "one_cycle", "constant"],
    "warmup": [0.0, 0.999],
    "warmup_steps": [0, 10_000_000],
    "evaluate_every": [0, 10_000_000],
    "label_smoothing": [0.0, 0.999],
    "augment": [[], [{"name": "flip"}], [{"name": "crop", "pad": 64}, {"name": "flip"}]],
    "small_first": [0.0, 0.999],
    "match": ["epochs", "compute", "pipeline"],
}
OUTSIDE: dict[str, list[Any]] = {
    "epochs": [0, 10_001, 1.5, "2", True],
    "batch_size": [0, 65_537, 2.0],
    "optimizer": ["lamb"],
    "warmup_steps": [-1, 0.5],
    "evaluate_every": [-1, "100"],
    "lr": [0, 100.1, float("inf"), float("nan"), "0.1"],
    "momentum": [-0.1, 1],
    "nesterov": [1, "yes"],
    "weight_decay": [-1e-9, 1.1],
    "schedule": ["cosine", ""],
    "warmup": [-0.1, 1],
    "label_smoothing": [-0.1, 1],
    "augment": [
        [{"name": "blur"}],
        [{"name": "crop"}],
        [{"name": "crop", "pad": 0}],
        [{"name": "crop", "pad": 65}],
        [{"name": "flip"}] * 17,
    ],
    "small_first": [-0.1, 1],
    "match": ["time"],
}
cases = [(name, value) for name in SETTABLE for value in OUTSIDE[name]]


def test_what_a_job_may_change_is_what_there_is() -> None:
    assert set(RecipeSpec.model_fields) == {"preset", *SETTABLE}
    own = {"distillation", "parents", "tuning", "first_step", "last_step"}
    assert set(Recipe.model_fields) - set(SETTABLE) == own
    assert all(field.default is None for field in RecipeSpec.model_fields.values())


@pytest.mark.parametrize("name", SETTABLE)
def test_limits_are_the_same_in_both(name: str) -> None:
    ours, theirs = (kind.model_json_schema()["properties"][name] for kind in (Recipe, RecipeSpec))
    allowed = [one for one in theirs["anyOf"] if one != {"type": "null"}]
    limits = {key: value for key, value in ours.items() if key not in ("default", "title", "description")}
    assert allowed == [limits]
    assert theirs.get("description") == ours.get("description")


@pytest.mark.parametrize("name", SETTABLE)
def test_what_lies_inside_the_limits_is_taken_by_both(name: str) -> None:
    for value in INSIDE[name]:
        recipe, spec = Recipe.model_validate(LEAST | {name: value}), RecipeSpec.model_validate({name: value})
        assert getattr(recipe, name) == getattr(spec, name)
        assert spec.changes == {name: getattr(spec, name)}


@pytest.mark.parametrize(("name", "value"), cases, ids=[f"{name}={value!r:.20}" for name, value in cases])
def test_what_lies_outside_is_refused_by_both(name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        Recipe.model_validate(LEAST | {name: value})
    with pytest.raises(ValidationError):
        RecipeSpec.model_validate({name: value})
    with pytest.raises(ValidationError):
        RECIPE.model_copy(update={name: value})


def test_nothing_asked_for_changes_nothing() -> None:
    assert RecipeSpec().changes == RecipeSpec(preset="quick").changes == {}
    assert RecipeSpec.model_validate({"augment": [], "nesterov": False}).changes == {"augment": (), "nesterov": False}


def test_fields_that_do_not_exist_are_refused() -> None:
    for kind, least in ((Recipe, LEAST), (RecipeSpec, {})):
        with pytest.raises(ValidationError, match="Extra inputs"):
            kind.model_validate({**least, "flip": True})


def test_nesterov_needs_a_momentum() -> None:
    with pytest.raises(ValidationError, match="nesterov needs a momentum above 0"):
        Recipe(epochs=1, batch_size=1, lr=0.1, momentum=0)
    with pytest.raises(ValidationError, match="nesterov needs a momentum above 0"):
        RECIPE.model_copy(update={"momentum": 0.0})


def test_a_recipe_survives_json() -> None:
    recipe = RECIPE.model_copy(update={"augment": (Flip(), Crop(pad=3))})
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert recipe.augment == (Flip(), Crop(pad=3))


def test_fine_tuning_is_a_quarter_at_a_constant_hundredth() -> None:
    tuned = fine_tuning(RECIPE.model_copy(update={"small_first": 0.5, "match": "compute"}))
    assert tuned == RECIPE.model_copy(update={"epochs": 2, "lr": 0.001, "schedule": "constant"})
    assert fine_tuning(tuned).epochs == 1


def test_a_method_and_a_job_may_have_another_fine_tuning() -> None:
    how = FineTuning(epochs=0.5, lr=0.1, schedule="step")
    assert fine_tuning(RECIPE, how) == RECIPE.model_copy(update={"epochs": 4, "lr": 0.1 * 0.1, "schedule": "step"})
    assert fine_tuning(RECIPE, how, lr=0.3).lr == 0.3


def test_what_only_arms_set_is_written_only_where_it_is_set() -> None:
    assert not {"distillation", "parents", "tuning", "first_step", "last_step", "evaluate_every"} & set(
        RECIPE.model_dump(mode="json")
    )
    taught = RECIPE.model_copy(update={"distillation": Distillation()})
    assert Recipe.model_validate_json(taught.model_dump_json()) == taught
