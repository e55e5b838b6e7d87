"""Factors beside the weights: two steps by hand, exact zeros, an optimiser that is theirs."""

from __future__ import annotations

import pytest
import torch

from espalier.models.config import Slice
from espalier.models.network import Network, dense
from espalier.search.errors import SpecError
from espalier.search.methods.factors import PULL, FactorOptions, Factors, Structures, factors_of
from espalier.search.recipe import Recipe
from espalier.search.schedule import travel

CONFIG = dense("resnet20", 10, (1, 32, 32), {"width": 0.25})
RECIPE = Recipe(epochs=1, batch_size=8, lr=0.1)
STEM = {"stem": Structures(4, [Slice("bn1.weight", 0, "scale")])}


def factors(network: Network, strength: float, steps: int, **changes: str) -> Factors:
    recipe = RECIPE.model_copy(update=changes)
    return factors_of(network, STEM, FactorOptions(strength=strength), recipe, steps)


def test_two_steps_by_hand() -> None:
    """One factor, gradient 2 and then -1, lr 0.1, momentum 0.9, and the penalty that the recipe gives."""
    network = Network.of(CONFIG).fresh()
    found = factors(network, 1.0, 10)
    penalty, lr, mu = PULL / travel(RECIPE, 10), 0.1, 0.9
    expected, speed = 1.0, 0.0
    factor = found.factors["stem"]
    for gradient in (2.0, -1.0):
        factor.grad = torch.full_like(factor, gradient)
        found.after_step(network.module, lr)
        z = expected - lr * gradient
        z = max(abs(z) - lr * penalty, 0) * (1 if z > 0 else -1)
        speed = z - expected + mu * speed
        expected = max(0.0, z + mu * speed)
        assert factor.tolist() == pytest.approx([expected] * len(factor), rel=1e-5)


def test_a_factor_that_is_pulled_below_zero_is_exactly_zero() -> None:
    network = Network.of(CONFIG).fresh()
    found = factors(network, 100.0, 1)
    factor = found.factors["stem"]
    factor.grad = torch.zeros_like(factor)
    found.after_step(network.module, 0.1)
    assert factor.tolist() == [0.0] * len(factor)


def test_a_structure_of_many_channels_has_one_factor() -> None:
    network = Network.of(CONFIG).fresh(1)
    net, x = network.module.eval(), torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    whole = {"stem": Structures(1, [Slice("bn1.weight", 0, "scale", 0, 4)])}
    found = factors_of(network, whole, FactorOptions(), RECIPE, 10)
    found.factors["stem"].data.fill_(0.5)
    passing = net(x).detach()
    assert found.finish(net)["stem"].tolist() == [0.5]
    assert network.module.bn1.weight.tolist() == [0.5] * 4  # type: ignore[union-attr]
    assert torch.allclose(net(x), passing, rtol=1e-4, atol=1e-6)


def test_another_optimiser_is_refused() -> None:
    with pytest.raises(SpecError, match="factors of sparse structure selection are learned as sgd learns weights; use"):
        factors(Network.of(CONFIG), 1.0, 10, optimizer="adam")
