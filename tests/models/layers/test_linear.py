"""Linear layers: over the last dimension, whatever stands before it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.copies import replace
from espalier.models.layers.draw import InitScheme
from espalier.models.tracing.trace import trace
from tests.models.helpers import drawn, rebuilt, same
from tests.models.networks import Net, conv


@pytest.mark.parametrize("layer", [nn.Linear(3, 4), nn.Linear(3, 4, bias=False)], ids=str)
def test_a_linear_layer_is_written_as_what_it_is(layer: nn.Module) -> None:
    assert rebuilt(layer).extra_repr() == layer.extra_repr()


def test_a_linear_layer_is_drawn_by_seed() -> None:
    layer = nn.Linear(3, 4)
    assert same(drawn(layer, 1), drawn(layer, 1))
    assert not same(drawn(layer, 1), drawn(layer, 2))
    assert not drawn(layer, 1)["bias"].any()


@pytest.mark.parametrize(
    ("scheme", "deviation"), [(0.01, 0.01), (0.02, 0.02), ("glorot", (2 / 300) ** 0.5), ("fan_in", 600**-0.5)]
)
def test_a_linear_layers_weights_have_the_schemes_deviation(scheme: float | str, deviation: float) -> None:
    state = drawn(nn.Linear(200, 100), 0, InitScheme(linear=scheme))
    assert float(state["weight"].std()) == pytest.approx(deviation, rel=0.03)


def test_a_linear_layer_of_another_size_runs_and_prints_as_that() -> None:
    layer = nn.Linear(6, 8).double()
    replace(layer, {"weight": torch.rand(5, 3).double(), "bias": torch.rand(5).double()})
    assert layer.extra_repr() == "in_features=3, out_features=5, bias=True"
    assert layer(torch.rand(2, 7, 3).double()).shape == (2, 7, 5)


def test_a_linear_layer_on_every_pixel_counts_each_of_them() -> None:
    net = Net(lambda m, x: m.b(m.a(x.permute(0, 2, 3, 1))).mean((1, 2)), a=nn.Linear(3, 8), b=nn.Linear(8, 2))
    coupling = trace(net, (3, 4, 5))
    assert coupling.widths == {"a": 8}
    assert dict(coupling.macs_per_weight) == {"a.weight": 20, "b.weight": 20}


def test_channels_in_another_dimension_than_the_last_stay() -> None:
    net = Net(lambda m, x: m.b(m.mix(m.a(x))), a=conv(3, 8), mix=nn.Linear(8, 8), b=conv(8, 2))
    coupling = trace(net, (3, 8, 8))
    assert ("a", "Linear mix works along a dimension that is not the channels") in coupling.kept
