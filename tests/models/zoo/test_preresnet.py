"""Pre-activation residual networks: 9n + 2 layers, and blocks that select from a stream that stays whole."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.tracing.trace import trace
from espalier.models.zoo.preresnet import Bottleneck, PreResNet


def test_a_network_of_n_blocks_a_stage_has_9n_plus_2_layers() -> None:
    """Shortcuts where channels change are not counted."""
    net = PreResNet((2, 2, 2), 10, 3, width=0.25)
    layers = [name for name, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear)) and "down" not in name]
    assert len(layers) == 20


def test_only_blocks_that_change_the_shape_have_a_convolution_for_shortcut() -> None:
    net = PreResNet((2, 2, 2), 10, 3, width=0.25)
    assert [block.downsample is not None for block in net.blocks] == [True, False] * 3


def test_the_stream_stays_whole_and_what_reads_it_is_free() -> None:
    coupling = trace(PreResNet((1, 1, 1), 4, 3, width=0.25), (3, 16, 16))
    assert [group.name for group in coupling.groups if group.selection] == [
        "blocks.0.select", "blocks.1.select", "blocks.2.select", "select",
    ]  # fmt: skip
    kept = {layer for layer, _ in coupling.kept}
    assert {"conv1", "blocks.0.conv3", "blocks.0.downsample", "blocks.2.conv3"} <= kept
    assert not {"blocks.0.conv1", "blocks.0.conv2"} & kept


def test_a_selection_reads_the_scale_before_it() -> None:
    coupling = trace(PreResNet((1, 1, 1), 4, 3, width=0.25), (3, 16, 16))
    found = {group.name: group.selection.scale for group in coupling.groups if group.selection}
    assert found["blocks.1.select"] == "blocks.1.bn1.weight"
    assert found["select"] == "bn.weight"


@pytest.mark.parametrize(("blocks", "bare"), [((1, 0, 1), ()), ((1, 1, 1), (0, 1, 2)), ((0, 0, 0), ())])
def test_blocks_can_be_left_out(blocks: tuple[int, int, int], bare: tuple[int, ...]) -> None:
    net = PreResNet(blocks, 4, 3, 0.25, bare).double().eval()
    assert sum(isinstance(module, Bottleneck) for module in net.modules()) == sum(blocks)
    assert net(torch.zeros(2, 3, 16, 16, dtype=torch.float64)).shape == (2, 4)
