"""Magnitude: absolute values, of the layers that are asked for."""

from __future__ import annotations

import torch

from espalier.models.network import Network, dense
from espalier.search.methods.base import Parent
from espalier.search.methods.magnitude import Magnitude
from espalier.search.methods.weight import WeightOptions
from tests.search.methods.helpers import TASK


def test_scores_are_absolute_weights_of_the_layers_asked_for() -> None:
    network = Network.of(dense("lenet5", 10, (1, 16, 16), {"width": 0.2})).fresh(1)
    parent = Parent(network, TASK, lambda _: iter(()))
    for layers, count in (("conv", 2), ("linear", 2), ("all", 4)):
        scores = Magnitude(WeightOptions(layers=layers)).score(parent)  # type: ignore[arg-type]
        assert len(scores) == count
        for name, values in scores.items():
            assert torch.equal(values.float(), network.module.get_parameter(name).abs())
