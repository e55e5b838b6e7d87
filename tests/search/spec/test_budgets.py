"""Budgets and ratios, and presets that stand for ratios."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from espalier.search.spec import JobSpec, Ratios, Target


def test_ratios_are_told_by_what_they_say() -> None:
    some = [Ratios(by="stage", ratios={"0": keep}) for keep in (0.5, 0.5, 0.6)]
    assert str(some[0]) == str(some[1]) != str(some[2])


def test_ratios_without_a_name_are_what_they_were_before_there_were_names() -> None:
    assert "name" not in Ratios(by="stage", ratios={"0": 0.5}).model_dump()
    assert str(Ratios(by="stage", ratios={"0": 0.5})).startswith("ratios ")


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
