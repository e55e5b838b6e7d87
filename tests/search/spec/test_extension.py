"""What is added to a search, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.search.errors import SpecError
from espalier.search.spec import Extension, JobSpec

SPEC = JobSpec.model_validate(
    {
        "target": {"arch": "vgg11", "dataset": "digits"},
        "methods": [{"name": "slimming"}],
        "budgets": [{"metric": "params", "keep": 0.5}],
        "baselines": ["uniform"],
        "seeds": [0, 1],
    }
)


def added(spec: JobSpec = SPEC, **more: Any) -> JobSpec:
    return Extension.model_validate(more).of(spec)


def test_what_is_new_stands_behind_what_was_there() -> None:
    found = added(
        methods=[{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2.0}}, {"name": "taylor"}],
        budgets=[{"metric": "macs", "keep": 0.5}],
        baselines=["uniform", "capped"],
        controls=["reverse"],
        seeds=[7, 1],
    )
    assert [(one.name, one.options) for one in found.methods] == [
        ("slimming", {}),
        ("slimming", {"strength": 2.0}),
        ("taylor", {}),
    ]
    assert [str(one) for one in found.budgets] == ["params=0.5", "macs=0.5"]
    assert (found.baselines, found.controls, found.seeds) == (("uniform", "capped"), ("reverse",), (0, 1, 7))
    assert found.model_copy(update={field: getattr(SPEC, field) for field in Extension.model_fields}) == SPEC


def test_what_was_added_is_told_from_two_specs() -> None:
    more: dict[str, Any] = {"budgets": [{"metric": "macs", "keep": 0.5}], "controls": ["reverse"], "seeds": [7]}
    assert Extension.between(SPEC, added(**more)) == Extension.model_validate(more)
    growing = SPEC.model_copy(update={"seeds": {"from": 2, "most": 5}})
    assert Extension.between(growing, added(growing, baselines=["capped"])) == Extension(baselines=("capped",))


@pytest.mark.parametrize("more", [{}, {"seeds": [1]}, {"baselines": ["uniform"], "methods": [{"name": "slimming"}]}])
def test_nothing_new_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="nothing is added"):
        added(**more)


def test_what_is_no_search_is_refused() -> None:
    with pytest.raises(SpecError, match="the same thing twice"):
        added(seeds=[5, 5])
    growing = SPEC.model_copy(update={"seeds": {"from": 2, "most": 5}})
    with pytest.raises(SpecError, match="by itself where it needs them, up to 5"):
        added(growing, seeds=[9])
    assert added(growing, baselines=["capped"]).seeds == growing.seeds
