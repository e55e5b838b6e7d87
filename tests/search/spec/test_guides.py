"""Guides: spelt out, or by job or pattern."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from espalier.search.spec import Guide, JobSpec

LEAST: dict[str, Any] = {"target": {"arch": "vgg11", "dataset": "digits"}}


def test_the_patterns_of_several_jobs_may_be_followed() -> None:
    spec = JobSpec.model_validate(LEAST | {"guides": [{"job": "a"}, {"job": "b"}]})
    assert [guide.job for guide in spec.guides] == ["a", "b"]


def test_a_guide_may_be_for_a_budget_by_its_presets_name() -> None:
    asked = {
        "budgets": [{"preset": "li2017-A"}],
        "guides": [{"name": "g", "keep": [0.5], "budget": {"preset": "li2017-A"}}],
    }
    spec = JobSpec.model_validate({"target": {"arch": "resnet56", "dataset": "cifar10"}} | asked)
    assert spec.guides[0].budget == spec.budgets[0]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "a guide has keep or kernels, what stays of each stage; or job"),
        ({"keep": [0.5]}, "a guide that says what stays needs a name"),
        ({"keep": [0.5, 1.5], "name": "g"}, "less than or equal to 1"),
    ],
)
def test_a_guide_says_what_is_followed(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Guide.model_validate(fields)
    assert Guide(pattern="p").model_dump() == {"name": "", "keep": (), "pattern": "p"}


KERNEL = [[0.1, 0.2, 0.1], [0.2, 0.9, 0.2], [0.1, 0.2, 0.1]]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kernels": [KERNEL]}, "needs a name"),
        ({"kernels": [KERNEL[:2]], "name": "g"}, "Field required"),
        ({"kernels": [[*KERNEL[:2], [0.1, 0.2, 1.1]]], "name": "g"}, "less than or equal to 1"),
        ({"kernels": [KERNEL, [[0, 0, 0]] * 3], "name": "g"}, "leave a stage without weights"),
        ({"kernels": [KERNEL], "keep": [0.5], "name": "g"}, "make it two guides"),
    ],
)
def test_kernels_are_three_by_three_chances(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Guide.model_validate(fields)
    assert Guide.model_validate({"kernels": [KERNEL], "name": "g"}).is_spelt_out


@pytest.mark.parametrize("other", [{"kernels": [[[0.5, 0.5, 0.5]] * 3]}, {"keep": [0.5]}])
def test_two_guides_of_one_name_are_not_for_the_same_budget(other: dict[str, Any]) -> None:
    guides = [{"name": "g", "kernels": [KERNEL]}, {"name": "g", **other}]
    with pytest.raises(ValidationError, match="could not be told apart"):
        JobSpec.model_validate(LEAST | {"guides": guides})
