"""Whole residual blocks left out: options say so, and what stays computes as before."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import nn

from espalier.models.blocks import BlockMask, branches, leave_out, without_blocks
from espalier.models.config import ChannelMask
from espalier.models.errors import ArchitectureError, SurgeryError
from espalier.models.network import Network, dense

SHAPE = (3, 16, 16)


def network(arch: str, **options: object) -> Network:
    return Network.of(dense(arch, 4, SHAPE, {"width": 0.25, **options}))  # type: ignore[dict-item]


def lively(whole: Network) -> Network:
    """In double precision; every norm has statistics and a shift of its own, so that no zero is there by chance."""
    net = whole.fresh(1).module.double().eval()
    generator = torch.Generator().manual_seed(2)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert isinstance(tensor, torch.Tensor)
                tensor.data.uniform_(0.2, 1, generator=generator)
    return Network(whole.config, whole.coupling, net)


def left_out(whole: Network, mask: BlockMask) -> Network:
    """The smaller network, which computes what the whole one does when the branches that are left out give zeros."""
    smaller = leave_out(whole, mask)
    for branch in branches(whole):
        if not mask.keeps(branch.block):
            for parameter in whole.module.get_submodule(branch.end).parameters():
                parameter.data.zero_()
    x = torch.randn(2, *SHAPE, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = whole.module(x), smaller.module.double().eval()(x)
    # Weights pass through single precision, as they do in every file.
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))
    return smaller


MASKS = [
    [True, False, True, True, True, True],
    [False, True, True, False, True, True],
    [True, True, True, False, False, True],
    [True, True, False, False, False, True],
    [True, True, True, True, False, False],
    [False] * 6,
]


@pytest.mark.parametrize(("arch", "kept"), [*product(["resnet20", "preresnet20", "resnext20"], MASKS)])
def test_a_network_without_blocks_computes_what_it_does_when_they_give_zeros(arch: str, kept: list[bool]) -> None:
    whole = lively(network(arch, blocks=[2, 2, 2]))
    mask = BlockMask({branch.block: one for branch, one in zip(branches(whole), kept, strict=True)})
    assert len(branches(left_out(whole, mask))) == sum(kept)


@pytest.mark.parametrize("arch", ["resnet20", "preresnet20", "resnext20"])
def test_blocks_are_left_out_of_what_had_lost_some(arch: str) -> None:
    whole = lively(network(arch, blocks=[2, 2, 2], bare=[1]))
    first = next(branch for branch in branches(whole) if branch.stage == 1)
    smaller = left_out(whole, BlockMask({first.block: False}))
    assert smaller.config.options == {"width": 0.25, "blocks": [2, 1, 2], "bare": [1]}


def test_what_is_left_out_becomes_an_option() -> None:
    whole = network("preresnet20", blocks=[2, 2, 2])
    names = [branch.block for branch in branches(whole)]
    config = without_blocks(whole, BlockMask({names[0]: False, names[3]: False}))
    assert config.options == {"width": 0.25, "blocks": [1, 1, 2], "bare": [0]}
    assert Network.of(config).is_dense
    assert without_blocks(whole, BlockMask({})) == whole.config


def test_a_stage_may_lose_all_its_branches_or_its_first_ones() -> None:
    whole = network("preresnet164")
    by_stage = {stage: [b.block for b in branches(whole) if b.stage == stage] for stage in range(3)}
    gone = [*by_stage[0][:18], *by_stage[1][:16], *by_stage[2][5:]]
    config = without_blocks(whole, BlockMask(dict.fromkeys(gone, False)))
    assert config.options == {"width": 0.25, "blocks": [0, 2, 5], "bare": [1]}


def test_a_network_without_the_option_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="vgg11 has no option that leaves blocks out; resnet20"):
        branches(network("vgg11"))


def test_a_block_that_is_not_there_is_refused() -> None:
    with pytest.raises(SurgeryError, match=r"resnet20 has no block blocks\.9"):
        without_blocks(network("resnet20"), BlockMask({"blocks.9": False}))


def test_a_network_that_was_cut_is_refused() -> None:
    whole = network("resnet20").fresh()
    some = {group.name: torch.arange(group.width) < max(1, group.width // 2) for group in whole.groups}
    with pytest.raises(SurgeryError, match="cut already"):
        leave_out(whole.prune(ChannelMask(some)), BlockMask({}))
