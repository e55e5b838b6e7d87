"""Choices from registries, told in words."""

from __future__ import annotations

from typing import Any

from espalier.search.spec import Budget, Choice, JobSpec, MethodSpec

LEAST: dict[str, Any] = {"target": {"arch": "vgg11", "dataset": "digits"}}


def test_choices_are_told_in_words() -> None:
    assert str(Choice(name="slimming", options={"strength": 2.0, "layers": "all"})) == "slimming strength=2 layers=all"
    assert str(MethodSpec(name="slimming")) == "slimming"
    assert str(Budget(metric="macs", keep=0.25)) == "macs=0.25"


def test_one_method_with_other_options_is_another_entry() -> None:
    methods = [{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2}}]
    spec = JobSpec.model_validate(LEAST | {"methods": methods})
    assert [str(method) for method in spec.methods] == ["slimming", "slimming strength=2"]
