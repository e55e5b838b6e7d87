"""ResNeXt: as large as published, and cut by whole paths."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.config import ChannelMask
from espalier.models.network import Network, dense
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from espalier.models.zoo.resnext import Block, ResNeXt


@pytest.mark.parametrize(("paths", "millions"), [(8, 34.4), (16, 68.1)])
def test_it_is_as_large_as_published(paths: int, millions: float) -> None:
    """Xie et al. 2017, table 7; they round down."""
    with torch.device("meta"):
        net = ResNeXt((3, 3, 3), 10, 3, paths)
    assert sum(parameter.numel() for parameter in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
    layers = [name for name, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear)) and "down" not in name]
    assert len(layers) == 29


def test_its_paths_are_channels_that_are_cut_whole() -> None:
    net = ResNeXt((1, 1, 1), 4, 3, paths=6, width=1 / 16).double().eval()
    coupling = trace(net, (3, 16, 16))
    widths = {name: width for name, width in coupling.widths.items() if name.endswith("conv1") and "." in name}
    assert widths == {f"blocks.{block}.conv1": 6 for block in range(3)}
    kept = {group.name: torch.arange(group.width) % 3 > 0 for group in coupling.groups if group.name in widths}
    cut = prune(
        net, coupling, ChannelMask({g.name: kept.get(g.name, torch.ones(g.width).bool()) for g in coupling.groups})
    )
    inner = cut.get_submodule("blocks.1.conv2")
    assert (inner.groups, inner.in_channels, inner.out_channels) == (4, 32, 32)
    assert torch.equal(
        inner.weight, net.get_submodule("blocks.1.conv2").weight[torch.repeat_interleave(kept["blocks.1.conv1"], 8)]
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(("blocks", "bare"), [((1, 0, 1), ()), ((1, 1, 1), (0, 1, 2)), ((0, 0, 0), ())])
def test_blocks_can_be_left_out(blocks: tuple[int, int, int], bare: tuple[int, ...]) -> None:
    net = ResNeXt(blocks, 4, 3, 2, 1 / 16, bare).double().eval()
    assert sum(isinstance(module, Block) for module in net.modules()) == sum(blocks)
    assert net(torch.zeros(2, 3, 16, 16, dtype=torch.float64)).shape == (2, 4)


def test_how_many_paths_there_are_is_an_option() -> None:
    network = Network.of(dense("resnext20", 4, (3, 16, 16), {"paths": 4, "width": 0.0625}))
    assert network.coupling.widths["blocks.0.conv1"] == 4
