"""What a job may ask for, and what is refused before anything is looked up."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from espalier.search.recipe import Crop
from espalier.search.spec import Guide, JobSpec, PlannerSpec, Target

LEAST: dict[str, Any] = {"target": {"arch": "vgg11", "dataset": "digits"}}


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": []}, {"seeds": [1, 1]}, {"seeds": [-1]}, {"seeds": [1.5]}, {"seeds": list(range(100))},
        {"budgets": []}, {"budgets": [{"metric": "params", "keep": 0}]}, {"budgets": [{"metric": "params", "keep": 1.1}]},
        {"budgets": [{"metric": "params", "keep": float("nan")}]}, {"budgets": [{"metric": "flops", "keep": 0.5}]},
        {"budgets": [{"metric": "params", "keep": 0.5}] * 2}, {"methods": [], "baselines": []}, {"inits": []},
        {"methods": [{"name": "slimming", "options": {"strength": 2}}] * 2}, {"name": "a\u0000b"},
        {"methods": [{"name": "slimming"}, {"name": "slimming", "options": {}}]},
        {"target": {"arch": "vgg11", "options": {"x": "\ud800"}, "dataset": "digits"}},
        {"baselines": ["uniform", "uniform"]}, {"extra": 1}, {"minimum_keep": 0}, {"name": "x" * 201},
        {"recipe": {"lr": float("inf")}}, {"recipe": {"epochs": 0}}, {"recipe": {"batch_size": 10**9}},
        {"budgets": [{"by": "stage", "ratios": {}}]}, {"budgets": [{"by": "stage", "ratios": {"0": 0}}]},
        {"budgets": [{"by": "layer", "ratios": {"0": 0.5}}]}, {"tune_lr": [0.1]}, {"schema_version": 4}, {"schema_version": "2"},
        {"seeds": {"from": 3, "most": 3}}, {"seeds": {"from": 1, "most": 3}}, {"seeds": {"from": 3, "most": 65}},
        {"guides": [{"job": "a"}, {"job": "a"}]}, {"guides": [{"name": "g", "keep": []}]}, {"guides": [{"keep": [0.5]}]}, {"guides": [{"name": "g", "keep": [0]}]},
        {"guides": [{"name": "g", "keep": [0.5], "budget": {"metric": "macs", "keep": 0.77}}]},
        {"guides": [{"name": "g", "keep": [0.5]}, {"name": "g", "keep": [0.4]}]},
        {"guides": [{"name": "g", "keep": [0.5]}, {"name": "g", "keep": [0.4], "budget": {"metric": "params", "keep": 0.5}}]},
        {"guides": [{"name": "g", "keep": [0.5]}], "budgets": [], "methods": [], "baselines": []},
        {"transfer_to": [{"arch": "vgg16"}]}, {"transfer_to": [{"arch": "vgg16", "dataset": "digits"}] * 2},
        {"seeds": {"from": 3}}, {"seeds": {"from": 3, "most": 9, "until": "tired"}},
        {"seeds": {"from": 3, "most": 9}, "tickets": {}},
        {"fine_tuning": {}}, {"inits": ["inherited"], "fine_tuning": {"epochs": 0}},
        {"controls": ["backwards"]}, {"controls": ["reverse", "reverse"]}, {"budgets": [{"preset": 3}]},
        {"budgets": [{"preset": "li2017-A"}]}, {"target": None, "budgets": [{"preset": "li2017-A"}]},
    ],
)  # fmt: skip
def test_a_spec_that_cannot_work_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        JobSpec.model_validate(LEAST | change)


def test_a_sampler_is_a_planner_in_other_words() -> None:
    asked = {"sampler": {"name": "nsga2", "trials": 12, "proxy": "short"}}
    spec = JobSpec.model_validate(LEAST | asked)
    assert spec.planner == PlannerSpec(name="sampled", options={"sampler": "nsga2", "trials": 12, "proxy": "short"})
    assert spec.sampler is None
    assert "sampler" not in spec.model_dump()
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec == spec.model_copy(update={"name": ""})
    assert JobSpec.model_validate(LEAST | {"sampler": {}}).planner == PlannerSpec(name="sampled")
    with pytest.raises(ValidationError, match="give one of them"):
        JobSpec.model_validate(LEAST | asked | {"planner": {"name": "fixed"}})


def test_what_is_found_may_be_carried_to_other_targets() -> None:
    spec = JobSpec.model_validate(
        LEAST
        | {
            "transfer_to": [{"arch": "vgg16", "dataset": "digits", "methods": [{"name": "taylor"}]}],
            "budgets": [{"metric": "params", "keep": 0.5}, {"by": "stage", "ratios": {"0": 0.5}}],
            "controls": ["reverse"], "inits": ["inherited"], "tune_lr": [0.1], "tickets": {"rounds": 2},
            "seeds": [3, 4], "baselines": ["uniform", "random"], "recipe": {"epochs": 7},
        }
    )  # fmt: skip
    (there,) = spec.transfer_to
    guides = [Guide(name="g", keep=(0.5,))]
    carried = spec.carried_to(there, guides)
    assert carried.target == Target(arch="vgg16", dataset="digits")
    assert carried.budgets == spec.budgets[:1], "ratios of groups mean nothing elsewhere"
    assert (carried.guides, carried.methods, carried.inits) == (tuple(guides), there.methods, ("scratch",))
    assert (carried.seeds, carried.baselines, carried.recipe) == (spec.seeds, spec.baselines, spec.recipe)
    assert carried.name.endswith("carried to vgg16 on digits")
    own = there.model_copy(update={"baselines": ("capped",)})
    assert spec.carried_to(own, guides).baselines == ("capped",)
    assert spec.carried_to(own, guides).target == carried.target
    assert not (carried.transfer_to or carried.controls or carried.tickets)
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert "transfer_to" not in JobSpec.model_validate(LEAST).model_dump()


def test_the_least_is_an_architecture_and_a_data_set() -> None:
    spec = JobSpec.model_validate(LEAST)
    assert [str(budget) for budget in spec.budgets] == ["params=0.5", "params=0.25", "params=0.1"]
    assert (spec.baselines, spec.inits, spec.seeds) == (("uniform", "capped"), ("scratch",), (0, 1, 2))
    assert (spec.target.task, spec.planner.name, spec.minimum_keep) == ("classification", "fixed", 0.1)
    with pytest.raises(ValidationError):
        JobSpec.model_validate({"target": {"arch": "vgg11"}})


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"budgets": [{"metric": "macs", "keep": 0.3}, {"by": "stage", "ratios": {"0": 0.5}}]},
        {"target": {"arch": "vgg11", "dataset": {"folder": "pets", "size": 32}, "options": {"width": 0.5}}},
        {"recipe": {"preset": "paper", "epochs": 3, "augment": [{"name": "crop", "pad": 2}]}},
    ],
)
def test_a_spec_survives_json(change: dict[str, Any]) -> None:
    spec = JobSpec.model_validate(LEAST | change)
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert JobSpec.read(spec.model_dump(mode="json")) == spec


def test_a_spec_without_a_version_is_todays_unless_its_words_are_the_firsts() -> None:
    for old in ({"floor": 0.2}, {"recipe": {"flip": False}}, {"recipe": {"crop": 3}}):
        assert JobSpec.model_validate(LEAST | old) == JobSpec.read(LEAST | old)
    spec = JobSpec.model_validate(LEAST | {"floor": 0.2, "recipe": {"flip": False, "crop": 2}})
    assert (spec.minimum_keep, spec.recipe.augment, spec.schema_version) == (0.2, (Crop(pad=2),), 3)
    with pytest.raises(ValidationError, match="floor"):
        JobSpec.model_validate(LEAST | {"schema_version": 2, "floor": 0.2})
    with pytest.raises(ValidationError):
        JobSpec.model_validate(LEAST | {"floor": 0})


def test_the_published_example_is_a_spec() -> None:
    (example,) = JobSpec.model_json_schema()["examples"]
    assert JobSpec.model_validate(example).name == "vgg16 on cifar10"


def test_a_changed_spec_is_checked_like_any_other() -> None:
    with pytest.raises(ValidationError, match="seeds names the same thing twice"):
        JobSpec.model_validate(LEAST).model_copy(update={"seeds": (1, 1)})
