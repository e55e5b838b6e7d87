"""The values that describe a network: `ChannelConfig`, `ChannelGroup`, `Slice`, `ChannelMask`, `Cost`.

Only data lives here (no torch import), so that the service can speak of networks without loading a framework.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, JsonValue

from espalier.models.document import Document, Frozen, content_hash

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA_VERSION = 2
"""Version of the channel-config document. A change in meaning raises it, and adds an entry to its `UPGRADES`."""

Width = Annotated[int, Field(strict=True, ge=1)]
ChannelIndex = Annotated[int, Field(strict=True, ge=0)]
Extent = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Shape = tuple[int, ...]


class TensorSpec(Frozen):
    """One tensor that goes into a network or comes out of it."""

    shape: tuple[Extent, ...] = Field(max_length=8, description="of one example, without the batch")


def _from_version_1(raw: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew one input, of images, and one output, of classes."""
    classes, shape = raw.pop("classes"), raw.pop("shape")
    return {**raw, "inputs": [{"shape": shape}], "outputs": [{"shape": [classes]}]}


class ChannelConfig(Document):
    """A network as data: all that is needed to build it again, and nothing about its weights."""

    UPGRADES: ClassVar = {1: _from_version_1}

    schema_version: int = Field(default=SCHEMA_VERSION, description="version of this document's meaning")
    arch: str = Field(min_length=1, max_length=200, description="'vgg16', 'resnet56', 'torchvision/resnet18', …")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="factory options that change the dense network, e.g. {'width': 0.5}"
    )
    inputs: tuple[TensorSpec, ...] = Field(min_length=1, description="of images: channels, height, width")
    outputs: tuple[TensorSpec, ...] = Field(min_length=1, description="of a classifier: one number for each class")
    widths: dict[str, Width] = Field(description="channel group -> channels kept")
    picks: dict[str, tuple[ChannelIndex, ...]] = Field(
        default_factory=dict, description="for groups that select from a shared stream: which channels"
    )
    mask: str | None = Field(default=None, description="hash of a mask over single weights, where there is one")

    @classmethod
    def of_classifier(
        cls, arch: str, options: Mapping[str, JsonValue], classes: int, shape: Shape, widths: Mapping[str, int]
    ) -> ChannelConfig:
        """The config of a network that gives one number for each class."""
        return cls(
            arch=arch,
            options=dict(options),
            inputs=(TensorSpec(shape=shape),),
            outputs=(TensorSpec(shape=(classes,)),),
            widths=dict(widths),
        )

    @cached_property
    def id(self) -> str:
        """The architecture's identity: the hash of this document.

        What version 1 could say is hashed as version 1 said it, so that a network keeps its id over releases. A later
        version does the same for what it adds.
        """
        return content_hash(_as_version_1(self) or self)

    @property
    def shape(self) -> Shape:
        """Of one example of the first input."""
        return self.inputs[0].shape

    @property
    def classes(self) -> int:
        """Numbers in the first output."""
        return self.outputs[0].shape[0]


def _as_version_1(config: ChannelConfig) -> dict[str, Any] | None:
    """The document as version 1 wrote it; None where it has no words for it."""
    shapes = [[len(spec.shape) for spec in specs] for specs in (config.inputs, config.outputs)]
    if shapes != [[3], [1]] or config.mask is not None:
        return None
    document = config.model_dump(mode="json", include={"arch", "options", "widths", "picks"})
    return {**document, "schema_version": 1, "classes": config.classes, "shape": list(config.shape)}


Role = Literal["out", "in", "scale", "shift", "statistic", "index", "direction", "other"]
"""What a dimension of a tensor is to its layer: its output or input channels; or, for each channel, a
normalisation's scale or running statistic, a shift (biases, too), its index in a stream, the direction of a vector
whose length is another tensor's, or another number."""


class Slice(NamedTuple):
    """Where one group's channels lie in one tensor of the state dict.

    Channel `c` has the indices `start + c * repeat … start + (c + 1) * repeat - 1` of dimension `dim`.
    """

    tensor: str
    dim: int
    role: Role
    start: int = 0
    repeat: int = 1

    @property
    def layer(self) -> str:
        """The module the tensor belongs to."""
        return self.tensor.rpartition(".")[0]


class Selection(NamedTuple):
    """How a group reads its channels from a shared stream, which stays whole."""

    buffer: Slice
    """Its part of the buffer that says which channel of the stream each of its own is."""
    scale: str | None
    """The scale of the batch norm that the stream passes before it is read, by channels of the stream."""


MINIMUM_KEEP = 0.1
"""Least share of a group's channels that stays, unless asked otherwise."""


def minimum_width(width: int, keep: float = MINIMUM_KEEP) -> int:
    """Channels of a group that always stay: a share of its width, rounded up, at least one."""
    return min(width, max(1, math.ceil(keep * width)))


@dataclass(frozen=True)
class ChannelGroup:
    """Channels of several layers that are kept or cut together."""

    name: str
    width: int
    minimum_width: int
    stage: int
    slices: tuple[Slice, ...]
    selection: Selection | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """The modules that hold a part of this group, in the order of the forward pass."""
        return tuple(dict.fromkeys(part.layer for part in self.slices))


@dataclass(frozen=True)
class ChannelMask:
    """Group name -> bool tensor [width]: True where the channel is kept."""

    kept: Mapping[str, Tensor]

    @property
    def widths(self) -> dict[str, int]:
        """Channels kept in each group."""
        return {name: int(kept.sum()) for name, kept in self.kept.items()}


class Cost(NamedTuple):
    """What a network costs to hold and to run on one input (one multiply-add = 1; convolutions, linear layers and, in
    attention, products of activations)."""

    params: int
    macs: int


class LayerCost(Frozen):
    """What one layer costs: a row of the receipt."""

    layer: str
    type: str
    inputs: int = 0
    outputs: int = 0
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    groups: int = 1
    params: int = 0
    macs: int
