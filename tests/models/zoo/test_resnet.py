"""Residual networks: 6n + 2 layers, shortcuts without parameters, whole blocks left out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from espalier.models.zoo.resnet import BasicBlock, ResNet, Shortcut


def test_a_network_of_n_blocks_a_stage_has_6n_plus_2_layers() -> None:
    net = ResNet((3, 3, 3), 10, 3, width=0.25)
    assert sum(isinstance(module, (nn.Conv2d, nn.Linear)) for module in net.modules()) == 20


@pytest.mark.parametrize("edge", [8, 32, 33])
def test_images_of_any_size_are_taken(edge: int) -> None:
    net = ResNet((1, 1, 1), 4, 1, width=0.25).double().eval()
    assert net(torch.zeros(2, 1, edge, edge, dtype=torch.float64)).shape == (2, 4)


def test_a_shortcut_has_no_parameters_and_halves_the_resolution() -> None:
    shortcut = Shortcut()
    assert not [*shortcut.parameters()]
    assert shortcut(torch.zeros(2, 3, 8, 5)).shape == (2, 3, 4, 3)


def test_a_widening_block_adds_zeros_to_its_shortcut() -> None:
    block = BasicBlock(4, 8, downsamples=True).double().eval()
    for parameter in block.bn2.parameters():
        parameter.data.zero_()  # nothing is left of the branch
    x = torch.rand(2, 4, 6, 6, dtype=torch.float64)
    y = block(x)
    assert torch.equal(y[:, :4], F.avg_pool2d(x, 2))
    assert not y[:, 4:].any()


@pytest.mark.parametrize(("blocks", "bare"), [((2, 0, 2), ()), ((1, 1, 1), (1, 2)), ((0, 0, 0), ()), ((0, 1, 0), ())])
def test_blocks_can_be_left_out(blocks: tuple[int, int, int], bare: tuple[int, ...]) -> None:
    net = ResNet(blocks, 4, 3, 0.25, bare).double().eval()
    assert sum(isinstance(module, BasicBlock) for module in net.modules()) == sum(blocks)
    assert net(torch.zeros(2, 3, 16, 16, dtype=torch.float64)).shape == (2, 4)
    assert net.blocks(torch.zeros(2, 4, 16, 16, dtype=torch.float64)).shape[2:] == (4, 4)
