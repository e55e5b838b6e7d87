"""What a pattern gives somewhere, without training."""

from __future__ import annotations

import pytest

from espalier.search.datasets import DataPaths
from espalier.search.errors import SpecError
from espalier.search.guidance import guided
from espalier.search.spec import Budget, Target


@pytest.mark.parametrize("arch", ["vgg11", "resnet20"])
@pytest.mark.parametrize("budget", [Budget(metric="params", keep=0.3), Budget(metric="macs", keep=0.6)])
def test_a_budget_is_met_and_stages_are_as_thin_as_the_pattern_says(
    arch: str, budget: Budget, paths: DataPaths
) -> None:
    target = Target(arch=arch, options={"width": 0.25}, dataset="digits")
    network = guided((0.9, 0.6, 0.2), target, budget, 0.1, paths)
    whole = network.coupling.cost(network.coupling.widths)
    assert getattr(network.cost, budget.metric) <= budget.keep * getattr(whole, budget.metric)
    kept = [network.widths[group.name] / group.width for group in network.groups]
    assert kept[0] > kept[-1]
    assert network.config.arch == arch


def test_what_cannot_be_followed_is_refused(paths: DataPaths) -> None:
    target = Target(arch="vgg11", options={"width": 0.25}, dataset="digits")
    with pytest.raises(SpecError, match=r"no widths keep 0\.001 of the params"):
        guided((0.9, 0.1), target, Budget(metric="params", keep=0.001), 0.1, paths)
    with pytest.raises(SpecError, match="no data set 'nowhere'"):
        guided((0.9, 0.1), Target(arch="vgg11", dataset="nowhere"), Budget(metric="params", keep=0.5), 0.1, paths)
