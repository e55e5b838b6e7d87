"""What the layers that read a channel make of it, on training examples: for methods that look at the next layer.

A row is one output channel of a layer at one drawn place of one image. Its entries are what each input channel adds to
that output, so that they sum to the output without bias. Only their products over all rows are kept, [width, width] for
a layer that reads a group, so memory does not grow with the number of rows.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from espalier.models.config import ChannelGroup, ChannelMask, Slice
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.errors import SpecError
from espalier.search.methods.base import Parent
from espalier.search.methods.channels import with_role


class Reader(NamedTuple):
    """A layer that reads a group's channels."""

    group: ChannelGroup
    part: Slice
    """Where they lie in its weight."""


class ReadingOptions(Frozen):
    """What methods that look at the next layer look at."""

    images: int = Field(default=256, strict=True, ge=1, le=1_000_000, description="training images it looks at")
    places: int = Field(default=10, strict=True, ge=1, le=1000, description="drawn in each, where the next layer works")
    draw: int = Field(default=0, strict=True, ge=0, lt=2**31, description="by which places are drawn")


SQUARE = 8192
"""Elements of a group's windows up to which their products are taken, and multiplied by those of the filters."""
BATCH = 32
"""Images that are looked at together."""
ROWS = 2048
"""Rows that are gathered before their products are taken: adding up those of few costs more than taking them."""
BLOCK = 512
"""Columns whose products with all that follow are taken at once; those with earlier ones are the same."""
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


def read_groups(network: Network, method: str) -> Sequence[ChannelGroup]:
    """The groups that such layers read. Raises SpecError, for the method of this name, if there are none."""
    found = [group for group in network.groups if any(True for _ in readers(network, group))]
    if network.groups and not found:
        raise SpecError(
            f"{method} looks at the convolution or linear layer that reads a channel, and none reads one of the "
            f"{len(network.groups)} groups"
        )
    return found


def by_group(found: Grams) -> Mapping[str, Tensor]:
    """Of all layers that read a group, together."""
    together: dict[str, Tensor] = {}
    for reader, gram in found.items():
        together[reader.group.name] = gram + together.get(reader.group.name, 0)
    return together


@torch.no_grad()
def grams(parent: Parent, options: ReadingOptions) -> Grams:
    """Of every layer that reads a group."""
    by_layer: dict[str, list[Reader]] = {}
    for group in parent.network.groups:
        for reader in readers(parent.network, group):
            by_layer.setdefault(reader.part.layer, []).append(reader)
    found: defaultdict[Reader, _Products] = defaultdict(_Products)

    def look(layer: str, windows: Tensor, times: int) -> None:
        module = parent.network.module.get_submodule(layer)
        for reader in by_layer[layer]:
            for rows in _rows(module, windows, reader):
                found[reader].add(rows * times**0.5 if times > 1 else rows)

    _watch(parent, by_layer, look, options)
    return {reader: _with_filters(parent.network, reader, products.sum()) for reader, products in found.items()}


class _Products:
    """Sums over rows of products of each two columns, from single rows; in doubles, whatever the rows are."""

    def __init__(self) -> None:
        self._rows: list[Tensor] = []
        self._sum: Tensor | None = None

    def add(self, rows: Tensor) -> None:
        """Rows [rows, columns]."""
        self._rows.append(rows)
        if sum(map(len, self._rows)) >= ROWS:
            self._fold()

    def _fold(self) -> None:
        rows, self._rows = torch.cat(self._rows), []
        width = rows.shape[1]
        if self._sum is None:
            self._sum = torch.zeros(width, width, dtype=torch.double)
        for start in range(0, width, BLOCK):
            products = rows[:, start : start + BLOCK].T @ rows[:, start:]
            self._sum[start : start + BLOCK, start:] += products.cpu()

    def sum(self) -> Tensor:
        """Of all rows so far, [columns, columns]."""
        if self._rows:
            self._fold()
        assert self._sum is not None, "a layer that was looked at gave rows"
        upper = self._sum.triu()
        return upper + upper.triu(1).T


def _rows(module: nn.Module, windows: Tensor, reader: Reader) -> Iterator[Tensor]:
    """What is multiplied: what each channel adds, or, as long as there are few of them, the elements of its windows."""
    own = windows[:, reader.part.start :][:, : reader.group.width * reader.part.repeat]
    if own[0].numel() <= SQUARE:
        yield own.flatten(1)
    else:
        yield from (columns.T for columns in added(module, windows, reader))


def _with_filters(network: Network, reader: Reader, products: Tensor) -> Tensor:
    """What channels add, from what their elements are: the sums over places and over outputs come apart."""
    width, weight = reader.group.width, network.module.get_parameter(reader.part.tensor)
    own = weight[:, reader.part.start :][:, : width * reader.part.repeat].flatten(1).double().cpu()
    if own.shape[1] > SQUARE:
        return products
    return (products * (own.T @ own)).reshape(width, -1, width, own.shape[1] // width).sum((1, 3))


@torch.no_grad()
def window_products(parent: Parent, layers: Collection[str], options: ReadingOptions) -> Mapping[str, Tensor]:
    """Of these layers, sums over drawn places of products of what each two elements of a window are, with a last one
    that is 1 everywhere: float64 [elements + 1, elements + 1]."""
    found: defaultdict[str, _Products] = defaultdict(_Products)

    def look(layer: str, windows: Tensor, _times: int) -> None:
        flat = windows.flatten(1)
        found[layer].add(torch.cat([flat, flat.new_ones(len(flat), 1)], 1))

    _watch(parent, layers, look, options)
    return {layer: products.sum() for layer, products in found.items()}


def _watch(
    parent: Parent, layers: Collection[str], look: Callable[[str, Tensor, int], None], options: ReadingOptions
) -> None:
    """Run the parent on training images, and show what these layers see at drawn places, and how many times it counts:
    the one place that a layer has is shown once."""
    net, generator = parent.network.module, torch.Generator().manual_seed(options.draw)
    training = net.training

    def hook(layer: str) -> Any:
        def show(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            windows = drawn_windows(module, given[0], options.places, generator)
            look(layer, windows, len(given[0]) * options.places // len(windows))

        return net.get_submodule(layer).register_forward_pre_hook(show)

    net.eval()
    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(hook(layer).remove)
        for examples in itertools.islice(parent.batches(BATCH), -(-options.images // BATCH)):
            net(examples.inputs)
    net.train(training)


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
    """What a layer multiplies its weight with at drawn places of each image, [images * places, channels, …]; at the one
    place, [images, channels], of a linear layer that reads no tokens."""
    image = torch.arange(len(x)).repeat_interleave(places)
    if not isinstance(module, nn.Conv2d):
        tokens = x.reshape(len(x), -1, x.shape[-1])
        token = torch.randint(tokens.shape[1], (len(image),), generator=generator)
        if tokens.shape[1] == 1:  # the one place there is, once
            return tokens[:, 0].clone()  # what follows may work in its place
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


def left(network: Network, tensor: str, dim: int, mask: ChannelMask) -> Tensor:
    """The indices along a dimension of a tensor that a cut leaves."""
    stays = torch.ones(network.module.get_parameter(tensor).shape[dim], dtype=torch.bool)
    for group in network.groups:
        for part in group.slices:
            if (part.tensor, part.dim) == (tensor, dim):
                own = mask.kept[group.name].repeat_interleave(part.repeat)
                stays[part.start : part.start + len(own)] = own
    return stays.nonzero().flatten()
