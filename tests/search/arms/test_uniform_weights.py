"""Uniform sparsification: the same share of every layer's weights, drawn by the seed."""

from __future__ import annotations

import pytest

from espalier.models.network import dense
from espalier.search.arms.uniform_weights import UniformWeights
from espalier.search.spec import Budget
from tests.search.helpers import derivation

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.25})


def test_every_layer_keeps_about_the_same_share() -> None:
    arm = UniformWeights(budget=Budget(metric="params", keep=0.3))
    network = arm.derive(derivation(CONFIG)).network
    assert network.weight_mask is not None
    shares = {name: share for name, share in network.weight_mask.densities.items() if "features.0" not in name}
    assert max(shares.values()) - min(shares.values()) < 0.05
    assert network.counted.params == pytest.approx(0.3 * network.cost.params, abs=1)


def test_where_there_are_no_convolutions_linear_layers_are_thinned() -> None:
    given = derivation(dense("lenet300", 10, (1, 8, 8), {"width": 0.3}))
    mask = UniformWeights(budget=Budget(metric="params", keep=0.5)).derive(given).network.weight_mask
    assert mask is not None
    assert set(mask.kept) == {"fc1.weight", "fc2.weight", "classifier.weight"}
