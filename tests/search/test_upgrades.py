"""Documents of version 1, as the first release wrote them, say what today's would."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from espalier.models.config import Cost
from espalier.search.arms.dense import Dense
from espalier.search.arms.pruned import Pruned
from espalier.search.arms.random import Random
from espalier.search.arms.sparse import Sparse
from espalier.search.arms.uniform import Uniform
from espalier.search.candidates import Candidate
from espalier.search.datasets import recipes
from espalier.search.recipe import Crop, Flip, Recipe, RecipeSpec
from espalier.search.results import CurvePoint, Execution, MadeBy, Ran, Result
from espalier.search.spec import Budget, JobSpec, MethodSpec, Target

BUDGET = Budget(metric="params", keep=0.1)
SLIMMING = MethodSpec(name="slimming", options={"strength": 2.0})

RECIPE_1: dict[str, Any] = {
    "epochs": 12, "batch_size": 32, "lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0005,
    "schedule": "one_cycle", "warmup": 0.1, "label_smoothing": 0.1, "flip": False, "crop": 2, "small_first": 0.0,
    "match": "epochs",
}  # fmt: skip
RECIPE = Recipe(epochs=12, batch_size=32, lr=0.05, warmup=0.1, label_smoothing=0.1, augment=(Crop(pad=2),))

CANDIDATE_1: dict[str, Any] = {
    "target": {"arch": "vgg11", "options": {"width": 0.5}, "dataset": "digits"},
    "recipe": RECIPE_1,
    "data": "digits-1",
    "seed": 3,
    "floor": 0.2,
    "parent": None,
    "init": "scratch",
}

SPEC_1: dict[str, Any] = {
    "name": "first",
    "target": {"arch": "vgg11", "options": {}, "dataset": {"folder": "pets", "size": 32}},
    "methods": [{"name": "slimming", "options": {"strength": 2.0}}],
    "budgets": [{"metric": "params", "keep": 0.1}],
    "baselines": ["uniform", "random"],
    "inits": ["scratch", "inherited"],
    "seeds": [0, 1],
    "recipe": {
        "preset": "quick", "epochs": 6, "batch_size": None, "lr": None, "momentum": None, "nesterov": None,
        "weight_decay": None, "schedule": None, "warmup": None, "label_smoothing": None, "flip": False, "crop": 2,
        "small_first": None, "match": None,
    },
    "floor": 0.2,
    "keep_weights": False,
}  # fmt: skip


def test_a_spec_says_the_same() -> None:
    today = JobSpec.model_validate(
        {
            "name": "first",
            "target": {"arch": "vgg11", "dataset": {"folder": "pets", "size": 32}},
            "methods": [{"name": "slimming", "options": {"strength": 2.0}}],
            "budgets": [{"metric": "params", "keep": 0.1}],
            "baselines": ["uniform", "random"],
            "inits": ["scratch", "inherited"],
            "seeds": [0, 1],
            "recipe": {"preset": "quick", "epochs": 6, "augment": [{"name": "crop", "pad": 2}]},
            "parents": "one",
            "minimum_keep": 0.2,
            "keep_weights": False,
        }
    )
    assert JobSpec.read(SPEC_1) == today
    assert JobSpec.read({**SPEC_1, "schema_version": 1}) == today


def test_jobs_of_version_2_go_on_with_their_one_parent() -> None:
    spec = {"target": {"arch": "vgg11", "dataset": "digits"}}
    assert JobSpec.read({**spec, "schema_version": 2}).parents == "one"
    assert JobSpec.model_validate(spec).parents == "per_seed"


@pytest.mark.parametrize(
    ("recipe", "augment"),
    [
        ({}, None),
        ({"flip": None, "crop": None}, None),
        ({"flip": False, "crop": 0}, ()),
        ({"flip": True, "crop": 3}, (Crop(pad=3), Flip())),
        ({"flip": False}, (Crop(pad=2),)),
        ({"flip": False, "preset": "paper"}, (Crop(pad=4),)),
        ({"crop": 0}, (Flip(),)),
    ],
)
def test_flip_and_crop_of_a_spec_are_its_augmentation(recipe: dict[str, Any], augment: object) -> None:
    assert JobSpec.read(SPEC_1 | {"recipe": recipe}).recipe == RecipeSpec.model_validate(
        {"augment": augment, "preset": recipe.get("preset")}
    )


@pytest.mark.parametrize("dataset", ["digits", "mnist", "fashion_mnist", "cifar10", "cifar100"])
@pytest.mark.parametrize("preset", ["quick", "paper", None])
def test_what_a_spec_leaves_open_is_as_its_preset_has_it(dataset: str, preset: str | None) -> None:
    """The presets of release 1 are still those of today."""
    target = {"arch": "vgg11", "dataset": dataset}
    whole = recipes(dataset)[preset or "quick"].augment
    flips = tuple(step for step in whole if isinstance(step, Flip))
    crops = tuple(step for step in whole if isinstance(step, Crop))
    for changes, expected in (
        ({"crop": 3}, (Crop(pad=3), *flips)),
        ({"flip": True}, (*crops, Flip())),
        ({"flip": False}, crops),
    ):
        spec = JobSpec.read({"target": target, "recipe": {"preset": preset, **changes}})
        assert spec.recipe.augment == expected


def test_a_document_that_is_no_spec_is_refused_and_not_stumbled_over() -> None:
    for broken in ({"recipe": 3}, {"recipe": None, "floor": "x"}, {"target": 7, "recipe": {"crop": 2}}):
        with pytest.raises(ValidationError):
            JobSpec.read(SPEC_1 | broken)
    for raw in ({}, {"origin": None}, {"origin": {}}, CANDIDATE_1):
        with pytest.raises(ValidationError):
            Candidate.read(raw)
    with pytest.raises(ValidationError):
        Result.read({"key": "k"})


def test_a_spec_of_which_little_was_said_is_read() -> None:
    target = {"arch": "vgg11", "dataset": "digits"}
    assert JobSpec.read({"target": target}) == JobSpec.model_validate({"target": target, "parents": "one"})


@pytest.mark.parametrize(
    ("old", "origin", "needs"),
    [
        ({"origin": {"kind": "dense", "method": None}}, Dense(), {}),
        ({"origin": {"kind": "dense", "method": SLIMMING.model_dump()}}, Sparse(method=SLIMMING), {}),
        (
            {
                "origin": {"kind": "pruned", "method": SLIMMING.model_dump(), "budget": BUDGET.model_dump()},
                "parent": "p",
            },
            Pruned(method=SLIMMING, budget=BUDGET),
            {"parent": "p"},
        ),
        (
            {
                "origin": {"kind": "pruned", "method": SLIMMING.model_dump(), "budget": BUDGET.model_dump()},
                "parent": "p",
                "init": "inherited",
            },
            Pruned(method=SLIMMING, budget=BUDGET, init="inherited"),
            {"parent": "p"},
        ),
        ({"origin": {"kind": "uniform", "budget": BUDGET.model_dump()}}, Uniform(budget=BUDGET), {}),
        ({"origin": {"kind": "random", "budget": BUDGET.model_dump(), "draw": 3}}, Random(budget=BUDGET), {}),
    ],
)
def test_a_candidate_is_todays_under_its_old_key(old: dict[str, Any], origin: Any, needs: dict[str, str]) -> None:
    today = Candidate(
        origin=origin,
        target=Target(arch="vgg11", options={"width": 0.5}, dataset="digits"),
        recipe=RECIPE,
        data="digits-1",
        seed=3,
        minimum_keep=0.2,
        needs=needs,
    )
    found = Candidate.stored(CANDIDATE_1 | old, "the key of release 1")
    assert found == today
    assert (found.arm, found.label) == (today.arm, today.label)
    assert found.key == "the key of release 1" != today.key


@pytest.mark.parametrize(
    ("flip", "crop", "augment"),
    [(False, 0, ()), (True, 0, (Flip(),)), (False, 3, (Crop(pad=3),)), (True, 3, (Crop(pad=3), Flip()))],
)
def test_a_candidates_images_go_through_what_they_did(flip: bool, crop: int, augment: object) -> None:
    old = {"origin": {"kind": "dense", "method": None}, "recipe": RECIPE_1 | {"flip": flip, "crop": crop}}
    assert Candidate.stored(CANDIDATE_1 | old, "k").recipe.augment == augment


CONFIG_1: dict[str, Any] = {
    "schema_version": 1,
    "arch": "vgg11",
    "options": {},
    "classes": 10,
    "shape": [1, 32, 32],
    "widths": {"features.0": 9},
    "picks": {},
}
RESULT_1: dict[str, Any] = {
    "key": "k",
    "config": CONFIG_1,
    "cost": [100, 1000],
    "holdout": 0.75,
    "accuracy": 0.5,
    "curve": [
        {"epoch": 0, "epochs": 2, "loss": 2.0, "holdout": 0.25},
        {"epoch": 1, "epochs": 2, "loss": 1.0, "holdout": 0.75},
    ],
    "seconds": 3.0,
    "latency_ms": 0.5,
    "weights": "f" * 64,
    "made_by": {
        "espalier": "0.1.0",
        "torch": "2.7.0",
        "execution": {"device": "cpu", "precision": "bfloat16", "channels_last": True, "threads": 2},
    },
}


def test_a_result_says_the_same() -> None:
    found = Result.read(RESULT_1)
    assert (found.config.classes, found.config.shape, found.config.widths) == (10, (1, 32, 32), {"features.0": 9})
    assert found == Result(
        key="k",
        config=found.config,
        cost=Cost(100, 1000),
        holdout={"accuracy": 0.75},
        test={"accuracy": 0.5},
        curve=(
            CurvePoint(step=None, epoch=0, metrics={"loss": 2.0, "accuracy": 0.25}),
            CurvePoint(step=None, epoch=1, metrics={"loss": 1.0, "accuracy": 0.75}),
        ),
        ran=Ran(epochs=2, steps=None, small_epochs=None),
        seconds=3.0,
        latency_ms=0.5,
        artifacts={"weights": "f" * 64},
        made_by=MadeBy(
            espalier="0.1.0",
            torch="2.7.0",
            execution=Execution(precision="bfloat16", channels_last=True, threads=2),
        ),
    )
    assert (found.chosen_by, found.reported) == (0.75, 0.5)


def test_weights_that_were_not_kept_are_no_artifact() -> None:
    assert Result.read(RESULT_1 | {"weights": None}).artifacts == {}


def test_reading_leaves_what_was_stored_as_it_is() -> None:
    import copy

    old = CANDIDATE_1 | {"origin": {"kind": "random", "budget": BUDGET.model_dump(), "draw": 3}}
    for kind, raw in ((JobSpec, SPEC_1), (Candidate, old), (Result, RESULT_1)):
        before = copy.deepcopy(raw)
        kind.read(raw)  # type: ignore[attr-defined]
        assert raw == before


def test_what_was_read_and_written_again_is_todays() -> None:
    old = CANDIDATE_1 | {"origin": {"kind": "dense", "method": None}}
    for kind, raw in ((JobSpec, SPEC_1), (Candidate, old), (Result, RESULT_1)):
        found = kind.read(raw)  # type: ignore[attr-defined]
        assert kind.read(found.model_dump(mode="json")) == found  # type: ignore[attr-defined]
        assert found.schema_version == kind.model_fields["schema_version"].default  # type: ignore[attr-defined]
