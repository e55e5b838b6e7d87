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
        ({}, "a guide has keep, the share of each stage; or job"),
        ({"keep": [0.5]}, "a guide with keep needs a name"),
        ({"keep": [0.5, 1.5], "name": "g"}, "less than or equal to 1"),
    ],
)
def test_a_guide_says_what_is_followed(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Guide.model_validate(fields)
    assert Guide(pattern="p").model_dump() == {"name": "", "keep": (), "pattern": "p"}
