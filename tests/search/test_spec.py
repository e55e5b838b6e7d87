"""What a job may ask for, and what is refused before anything is looked up."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from espalier.search.recipe import Crop
from espalier.search.spec import Budget, Choice, Folder, Guide, JobSpec, MethodSpec, PlannerSpec, Ratios, Target

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


@pytest.mark.parametrize(
    ("least", "most", "looks"), [(3, 10, (3, 6, 10)), (3, 6, (3, 6)), (2, 64, (2, 4, 8, 16, 32, 64)), (5, 6, (5, 6))]
)
def test_seeds_may_be_added_until_it_is_decided(least: int, most: int, looks: tuple[int, ...]) -> None:
    asked = {"from": least, "most": most, "until": "decided"}
    spec = JobSpec.model_validate(LEAST | {"seeds": asked})
    assert (spec.looks, spec.all_seeds) == (looks, tuple(range(most)))
    assert spec.model_dump(mode="json")["seeds"] == asked
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert spec.model_copy(update={"name": "x"}).seeds == spec.seeds


def test_the_patterns_of_several_jobs_may_be_followed() -> None:
    spec = JobSpec.model_validate(LEAST | {"guides": [{"job": "a"}, {"job": "b"}]})
    assert [guide.job for guide in spec.guides] == ["a", "b"]


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
    assert not (carried.transfer_to or carried.controls or carried.tickets)
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert "transfer_to" not in JobSpec.model_validate(LEAST).model_dump()


def test_a_guide_may_be_for_a_budget_by_its_presets_name() -> None:
    asked = {
        "budgets": [{"preset": "li2017-A"}],
        "guides": [{"name": "g", "keep": [0.5], "budget": {"preset": "li2017-A"}}],
    }
    spec = JobSpec.model_validate({"target": {"arch": "resnet56", "dataset": "cifar10"}} | asked)
    assert spec.guides[0].budget == spec.budgets[0]


@pytest.mark.parametrize(
    ("seeds", "place"),
    [([0, "x"], ("seeds", "a list of seeds", 1)), ({"from": 1, "most": 3}, ("seeds", "a range of seeds", "from"))],
)
def test_what_is_wrong_with_seeds_is_said_of_what_was_meant(seeds: object, place: tuple[object, ...]) -> None:
    with pytest.raises(ValidationError) as found:
        JobSpec.model_validate(LEAST | {"seeds": seeds})
    assert [error["loc"] for error in found.value.errors()] == [place]


def test_one_method_with_other_options_is_another_entry() -> None:
    methods = [{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2}}]
    spec = JobSpec.model_validate(LEAST | {"methods": methods})
    assert [str(method) for method in spec.methods] == ["slimming", "slimming strength=2"]


def test_the_least_is_an_architecture_and_a_data_set() -> None:
    spec = JobSpec.model_validate(LEAST)
    assert [str(budget) for budget in spec.budgets] == ["params=0.5", "params=0.25", "params=0.1"]
    assert (spec.baselines, spec.inits, spec.seeds) == (("uniform",), ("scratch",), (0, 1, 2))
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


def test_choices_are_told_in_words() -> None:
    assert str(Choice(name="slimming", options={"strength": 2.0, "layers": "all"})) == "slimming strength=2 layers=all"
    assert str(MethodSpec(name="slimming")) == "slimming"
    assert str(Budget(metric="macs", keep=0.25)) == "macs=0.25"


def test_ratios_are_told_by_what_they_say() -> None:
    some = [Ratios(by="stage", ratios={"0": keep}) for keep in (0.5, 0.5, 0.6)]
    assert str(some[0]) == str(some[1]) != str(some[2])


def test_a_data_set_is_told_in_one_word() -> None:
    assert Target(arch="vgg11", dataset="digits").dataset_name == "digits"
    assert Target(arch="vgg11", dataset=Folder(folder="pets")).dataset_name == "folder:pets"


def test_a_preset_stands_for_the_ratios_of_its_architecture() -> None:
    target = {"arch": "resnet56", "dataset": "cifar10"}
    spec = JobSpec.model_validate(
        {"target": target, "budgets": [{"preset": "li2017-B"}, {"metric": "macs", "keep": 0.5}]}
    )
    ratios = spec.budgets[0]
    assert isinstance(ratios, Ratios)
    assert (str(ratios), ratios.by, ratios.metric, len(ratios.ratios)) == ("li2017-B", "group", "params", 21)
    assert JobSpec.read(spec.model_dump(mode="json")) == spec
    by_macs = JobSpec.model_validate(
        {"target": Target.model_validate(target), "budgets": [{"preset": "li2017-B", "metric": "macs"}]}
    )
    assert by_macs.budgets[0] == ratios.model_copy(update={"metric": "macs"})
    with pytest.raises(ValidationError, match="no preset 'C' of resnet56; there are: li2017-A, li2017-B"):
        JobSpec.model_validate({"target": target, "budgets": [{"preset": "C"}]})
    with pytest.raises(ValidationError, match="keep"):
        JobSpec.model_validate({"target": target, "budgets": [{"preset": "li2017-B", "keep": 0.5}]})


def test_ratios_without_a_name_are_what_they_were_before_there_were_names() -> None:
    assert "name" not in Ratios(by="stage", ratios={"0": 0.5}).model_dump()
    assert str(Ratios(by="stage", ratios={"0": 0.5})).startswith("ratios ")
