"""Whole residual blocks: which branches a network has, and the network that is left without some of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import JsonValue

from espalier.models.architectures import Residual, architecture
from espalier.models.config import ChannelConfig
from espalier.models.errors import ArchitectureError, SurgeryError
from espalier.models.network import Network, chosen_options, dense
from espalier.models.tensors import fill, state_of
from espalier.models.zoo.stages import layout

BLOCKS = "blocks"
"""Where a residual network of the zoo has its blocks, one after the other; the option is called so, too."""
SHORTCUT = "downsample"
"""The part of a block that stays when its branch goes, where it has weights."""


class Branch(NamedTuple):
    """A residual branch: what a block adds to its shortcut."""

    block: str
    stage: int
    end: str
    """The layer whose output is added."""


@dataclass(frozen=True)
class BlockMask:
    """Block -> whether its residual branch is kept. What is not named is kept."""

    kept: Mapping[str, bool]

    def keeps(self, block: str) -> bool:
        """Whether a block's branch is kept."""
        return self.kept.get(block, True)


def branches(network: Network) -> tuple[Branch, ...]:
    """The residual branches that can be left out, in the order of the forward pass.

    Raises ArchitectureError if the network's factory has no option that leaves blocks out.
    """
    end = architecture(network.config.arch).branch_end
    return tuple(Branch(p.name, p.stage, f"{p.name}.{end}") for p in _places(network) if p.is_branch)


def without_blocks(network: Network, mask: BlockMask) -> ChannelConfig:
    """The config of a dense network without the branches that a mask leaves out: another value of the options `blocks`
    and `bare` of its factory (Huang & Wang 2018). Raises ArchitectureError or SurgeryError."""
    if not network.is_dense:
        raise SurgeryError("this network was cut already; leave blocks out of the dense one")
    config, options, found = network.config, _options(network), branches(network)
    if unknown := sorted(set(mask.kept) - {branch.block for branch in found}):
        raise SurgeryError(f"{config.arch} has no block {', '.join(unknown)}")
    left = [[mask.keeps(b.block) for b in found if b.stage == stage] for stage in range(len(options.blocks))]
    bare = {*options.bare, *(stage for stage, kept in enumerate(left) if kept and not kept[0])}
    changed: dict[str, JsonValue] = {BLOCKS: [*map(sum, left)], "bare": [*sorted(bare)]}
    return dense(config.arch, config.classes, config.shape, {**config.options, **changed})


def leave_out(network: Network, mask: BlockMask) -> Network:
    """The smaller network with the weights of what stays. It computes what the whole one does when the branches that
    are left out give zeros. Raises as `without_blocks`."""
    smaller = Network.of(without_blocks(network, mask)).fresh()
    origins, whole = _origins(network, smaller, mask), state_of(network.module)
    values = {}
    for name, tensor in state_of(smaller.module).items():
        block = ".".join(name.split(".")[:2])
        value = whole[name.replace(block, origins[block], 1) if block in origins else name]
        # Where a stage lost the block that widens its stream, the channels that it added are gone: they were zero.
        values[name] = value[tuple(slice(size) for size in tensor.shape)]
    fill(smaller.module, values)
    return smaller


class _Place(NamedTuple):
    """One module of the row of blocks."""

    name: str
    stage: int
    is_branch: bool


def _options(network: Network) -> Residual:
    entry = architecture(network.config.arch)
    options = chosen_options(entry, network.config.options)
    if not isinstance(options, Residual) or not entry.branch_end:
        raise ArchitectureError(
            f"{entry.name} has no option that leaves blocks out; resnet20 and preresnet20 and their like have"
        )
    return options


def _places(network: Network) -> list[_Place]:
    """The row of blocks: those with a branch, and shortcuts that changes of shape have left of others."""
    options = _options(network)
    row = [one for one in layout(options.blocks, options.bare) if one.branch or one.stage in options.reshaping]
    names = [f"{BLOCKS}.{name}" for name, _ in network.module.get_submodule(BLOCKS).named_children()]
    return [_Place(name, one.stage, one.branch) for name, one in zip(names, row, strict=True)]


def _origins(whole: Network, smaller: Network, mask: BlockMask) -> dict[str, str]:
    """Place in the smaller network -> where its weights are in the whole one."""
    old, new = _places(whole), _places(smaller)
    kept = [place.name for place in old if place.is_branch and mask.keeps(place.name)]
    origins = dict(zip([place.name for place in new if place.is_branch], kept, strict=True))
    for place in new:
        if not place.is_branch:
            first = next(one for one in old if one.stage == place.stage)
            origins[place.name] = f"{first.name}.{SHORTCUT}" if first.is_branch else first.name
    return origins
