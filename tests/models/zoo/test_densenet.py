"""Densely connected networks: each layer appends to the stream and reads what it selects from it."""

from __future__ import annotations

import pytest
import torch

from espalier.models.tracing.trace import trace
from espalier.models.zoo.densenet import DenseLayer, DenseNet, Transition


@pytest.mark.parametrize(("depth", "bottleneck", "layers"), [(10, False, 6), (40, False, 36), (16, True, 6)])
def test_a_network_has_as_many_layers_as_its_depth_says(depth: int, bottleneck: bool, layers: int) -> None:
    net = DenseNet(depth, 4, 3, 4, bottleneck)
    assert sum(isinstance(module, DenseLayer) for module in net.modules()) == layers
    assert sum(isinstance(module, Transition) for module in net.modules()) == 2


@pytest.mark.parametrize("bottleneck", [True, False])
def test_a_layer_appends_its_growth_and_leaves_the_stream(bottleneck: bool) -> None:
    layer, x = DenseLayer(6, 4, bottleneck).double().eval(), torch.rand(2, 6, 5, 5, dtype=torch.float64)
    y = layer(x)
    assert y.shape == (2, 10, 5, 5)
    assert torch.equal(y[:, :6], x)


@pytest.mark.parametrize(("compression", "channels"), [(1, (16, 24)), (0.5, (8, 8)), (0.3, (4, 3))])
def test_a_transition_passes_on_its_share(compression: float, channels: tuple[int, int]) -> None:
    """Stages of two layers that append 4 channels each, after 8 channels to begin with."""
    net = DenseNet(10, 4, 3, 4, compression=compression)
    assert tuple(m.conv.out_channels for m in net.modules() if isinstance(m, Transition)) == channels
    assert net.classifier.in_features == channels[-1] + 8
    assert net.double().eval()(torch.zeros(2, 3, 16, 16, dtype=torch.float64)).shape == (2, 4)


def test_what_layers_read_is_free_and_what_they_append_stays() -> None:
    coupling = trace(DenseNet(7, 4, 3, 4), (3, 16, 16))
    assert all(group.selection for group in coupling.groups)
    assert len(coupling.groups) == 3 + 2 + 1
    assert {"conv1", "blocks.0.conv", "blocks.1.conv"} <= {layer for layer, _ in coupling.kept}
