"""What the form says, and how it says a spec."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.app.server.pages.form import Given, like_of
from espalier.search.errors import SpecError
from espalier.search.spec import JobSpec
from tests.app.world import SPEC


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"target": {"arch": "vgg11", "dataset": "digits", "options": {"width": 0.25}}},
        {"target": {"arch": "resnet20", "dataset": "digits", "options": {"width": 0.25, "blocks": [1, 2, 3]}}},
        {"target": {"arch": "vgg11", "dataset": {"folder": "pets", "size": 64}}},
        {"methods": [{"name": "slimming", "options": {"strength": 2.0}}], "seeds": [3, 4]},
        {"methods": [{"name": "slimming", "options": {"across": "max", "penalty": 1e-4}}, {"name": "taylor"}]},
        {"methods": [{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2.0}}]},
        {"budgets": [{"by": "stage", "ratios": {"0": 0.5}}], "recipe": {"epochs": 3, "lr": 0.2}},
        {"tickets": {"rounds": 2}, "methods": [], "budgets": [], "baselines": []},
        {"controls": ["reverse", "shuffled"], "inits": ["inherited", "scratch"], "tune_lr": [0.1, 0.01]},
        {"planner": {"name": "sampled"}},
        {"planner": {"name": "sampled", "options": {"trials": 8}}},
        {"seeds": {"from": 2, "most": 6}, "guides": [{"name": "g", "keep": [0.5, 0.2]}]},
        {"smoke": True, "webhook": "https://hooks.example.com/x"},
    ],
)
def test_any_search_is_the_same_again(changes: dict[str, Any]) -> None:
    spec = JobSpec.model_validate(SPEC | changes)
    assert JobSpec.model_validate(like_of(spec).spec()) == spec


def test_what_a_field_can_say_can_be_changed_again() -> None:
    spec = JobSpec.model_validate(SPEC | {"recipe": {"epochs": 3}})
    given = like_of(spec)._replace(
        arch="vgg13", width="0.5", seeds="5", epochs="9", budgets="macs=0.9", methods=("taylor",)
    )
    again = JobSpec.model_validate(given.spec())
    assert (again.target.arch, again.target.options) == ("vgg13", {"width": 0.5})
    assert (again.seeds, again.recipe.changes) == ((0, 1, 2, 3, 4), {"epochs": 9})
    assert [str(budget) for budget in again.budgets] == ["macs=0.9"]
    assert [method.name for method in again.methods] == ["taylor"]
    assert again.parents == "one", "what no field says stays"


def test_the_empty_form_is_a_spec() -> None:
    assert JobSpec.model_validate(Given().spec()).target.arch == "vgg11"


def test_options_that_fields_say_are_no_json() -> None:
    spec = JobSpec.model_validate(SPEC | {"methods": [{"name": "slimming", "options": {"passes": 2, "across": "max"}}]})
    given = like_of(spec)
    assert given.options == {"slimming.passes": "2", "slimming.across": "max"}
    assert "methods" not in given.below


def test_options_of_a_method_that_is_not_ticked_are_not_dropped_without_a_word() -> None:
    given = Given(methods=("taylor",), options={"slimming.passes": "2", "slimming.across": " ", "l1_norm.x": ""})
    with pytest.raises(SpecError, match=r"^slimming: options are filled in and the method is not ticked"):
        given.spec()
    emptied = given._replace(options={"slimming.passes": " "})
    assert emptied.spec()["methods"] == [{"name": "taylor"}]
    in_json = given._replace(more='{"methods": [{"name": "slimming"}]}')
    assert in_json.spec()["methods"] == [{"name": "slimming"}], "where JSON names methods, fields of methods count not"
