"""The blocks of residual networks: in which stage, where the resolution halves, and which have a branch."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from espalier.models.zoo.stages import Block, Staged, layout


def test_a_row_of_blocks_stands_between_a_stem_and_a_linear_layer() -> None:
    net = Staged(3, 4, [nn.Conv2d(4, 6, 1), nn.ReLU()], 6, 5).double().eval()
    x = torch.rand(2, 3, 8, 8, dtype=torch.double)
    found = net.blocks(torch.relu(net.bn1(net.conv1(x)))).mean((2, 3))
    assert torch.allclose(net(x), net.classifier(found))


def test_a_whole_network_halves_where_the_second_and_third_stage_begin() -> None:
    blocks = [*layout([2, 2, 2], ())]
    assert [block.stage for block in blocks] == [0, 0, 1, 1, 2, 2]
    assert [index for index, block in enumerate(blocks) if block.downsamples] == [2, 4]
    assert all(block.branch for block in blocks)


def test_a_bare_stage_begins_with_its_shortcut_alone() -> None:
    assert [*layout([1, 2, 1], [1])] == [
        Block(0, False, True),
        Block(1, True, False),
        Block(1, False, True),
        Block(1, False, True),
        Block(2, True, True),
    ]


def test_a_stage_of_no_branches_is_a_shortcut_whether_it_is_bare_or_not() -> None:
    assert [*layout([0, 1, 0], ())] == [*layout([0, 1, 0], (0, 2))]
    assert [*layout([0, 0, 0], ())] == [Block(0, False, False), Block(1, True, False), Block(2, True, False)]


@given(blocks=st.lists(st.integers(0, 4), min_size=3, max_size=3), bare=st.sets(st.integers(0, 2)))
def test_every_network_has_its_branches_and_halves_twice(blocks: list[int], bare: set[int]) -> None:
    found = [*layout(blocks, bare)]
    assert [sum(block.branch for block in found if block.stage == stage) for stage in range(3)] == blocks
    assert [block.stage for block in found if block.downsamples] == [1, 2]
