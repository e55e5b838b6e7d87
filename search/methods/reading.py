"""What the layers that read a channel make of it, on training examples: for methods that look at the next layer.

A row is one output channel of a layer at one drawn place of one image. Its entries are what each input channel adds to
that output, so that they sum to the output without bias. Only their products over all rows are kept, [width, width] for
a layer that reads a group, so memory does not grow with the number of rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.config import ChannelGroup, ChannelMask, Slice
from espalier.models.network import Network
from espalier.search.methods.base import Parent
from espalier.search.methods.channels import with_role


class Reader(NamedTuple):
    """A layer that reads a group's channels."""

    group: ChannelGroup
    part: Slice
    """Where they lie in its weight."""


_ELEMENTS = 1 << 24
"""Numbers that are held at once."""
Grams = Mapping[Reader, Tensor]
"""Sums over rows of products of what each two channels add, float64 [width, width]."""


def readers(network: Network, group: ChannelGroup) -> Iterator[Reader]:
    """The convolutions and linear layers that read a group, where their own weight is what they multiply with."""
    for part in with_role(group, "in"):
        module = network.module.get_submodule(part.layer)
        forward: Any = type(module).forward
        plain = forward is nn.Linear.forward or (
            isinstance(module, nn.Conv2d)
            and forward is nn.Conv2d.forward
            and module.groups == 1
            and module.padding_mode == "zeros"
        )
        if plain and getattr(module, "weight", None) is network.module.get_parameter(part.tensor):
            yield Reader(group, part)


@torch.no_grad()
def grams(parent: Parent, images: int, places: int, draw: int, batch: int = 32) -> Grams:
    """Of every layer that reads a group, from so many training images and so many drawn places in each."""
    network, generator = parent.network, torch.Generator().manual_seed(draw)
    by_layer: dict[str, list[Reader]] = {}
    for group in network.groups:
        for reader in readers(network, group):
            by_layer.setdefault(reader.part.layer, []).append(reader)
    found = {
        reader: torch.zeros((reader.group.width,) * 2, dtype=torch.double)
        for some in by_layer.values()
        for reader in some
    }

    def watch(module: nn.Module, some: list[Reader]) -> Any:
        def look(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
            windows = drawn_windows(module, given[0], places, generator)
            for reader in some:
                for columns in added(module, windows, reader):
                    found[reader] += (columns @ columns.T).double().cpu()

        return module.register_forward_pre_hook(look)

    net, training = network.module, network.module.training
    net.eval()
    with ExitStack() as hooks:
        for layer, some in by_layer.items():
            hooks.callback(watch(net.get_submodule(layer), some).remove)
        for examples in itertools.islice(parent.batches(batch), -(-images // batch)):
            net(examples.inputs)
    net.train(training)
    return found


def added(module: nn.Module, windows: Tensor, reader: Reader) -> Iterator[Tensor]:
    """What each channel of a group adds to all outputs at some places: [width, rows], some rows at a time."""
    part, width = reader.part, reader.group.width
    weight: Tensor = module.weight  # type: ignore[assignment]
    own = slice(part.start, part.start + width * part.repeat)
    seen = windows[:, own].reshape(len(windows), width, -1).transpose(0, 1)  # [width, places, elements]
    filters = weight[:, own].reshape(len(weight), width, -1).permute(1, 2, 0)  # [width, elements, outputs]
    for some in seen.split(max(1, _ELEMENTS // (width * len(weight))), dim=1):
        yield (some @ filters).flatten(1)


def drawn_windows(module: nn.Module, x: Tensor, places: int, generator: torch.Generator) -> Tensor:
    """What a layer multiplies its weight with at drawn places of each image, [images * places, channels, …]."""
    image = torch.arange(len(x)).repeat_interleave(places)
    if not isinstance(module, nn.Conv2d):
        tokens = x.reshape(len(x), -1, x.shape[-1])
        token = torch.randint(tokens.shape[1], (len(image),), generator=generator)
        return tokens[image.to(x.device), token.to(x.device)]
    x = F.pad(x, _padding(module))
    indices = []
    sizes = zip(x.shape[2:], module.kernel_size, module.stride, module.dilation, strict=True)
    for size, kernel, stride, dilation in sizes:
        positions = (size - dilation * (kernel - 1) - 1) // stride + 1
        start = torch.randint(positions, (len(image),), generator=generator) * stride
        indices.append(start[:, None] + dilation * torch.arange(kernel))
    at = (image[:, None, None], indices[0][:, :, None], indices[1][:, None, :])
    return x.permute(0, 2, 3, 1)[tuple(index.to(x.device) for index in at)].permute(0, 3, 1, 2)


def _padding(module: nn.Conv2d) -> list[int]:
    """As `F.pad` takes it: left, right, top, bottom."""
    if module.padding == "same":
        total = [dilation * (kernel - 1) for dilation, kernel in zip(module.dilation, module.kernel_size, strict=True)]
        return [total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2]
    height, width = (0, 0) if isinstance(module.padding, str) else module.padding
    return [width, width, height, height]


def columns_left(network: Network, part: Slice, mask: ChannelMask) -> slice:
    """Where a group's channels lie in a weight that was cut, along the dimension of its part."""
    gone = 0
    for group in network.groups:
        for other in group.slices:
            if (other.tensor, other.dim) == (part.tensor, part.dim) and other.start < part.start:
                gone += other.repeat * int((~mask.kept[group.name]).sum())
    own = next(group for group in network.groups if part in group.slices)
    start = part.start - gone
    return slice(start, start + part.repeat * int(mask.kept[own.name].sum()))
