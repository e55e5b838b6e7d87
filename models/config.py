"""The values that describe a network: `ChannelConfig`, `ChannelGroup`, `Slice`, `ChannelMask`, `Cost`.

Only data lives here (no torch import), so that the service can speak of networks without loading a framework.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA_VERSION = 1
"""Version of the channel-config document. A change in meaning raises it; other versions are refused."""

Width = Annotated[int, Field(strict=True, ge=1)]
Pick = Annotated[int, Field(strict=True, ge=0)]
Extent = Annotated[int, Field(strict=True, ge=1, le=4096)]


class Frozen(BaseModel):
    """Base of every value that is stored, sent and passed on: immutable, and closed to unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def content_hash(value: BaseModel | Mapping[str, Any], length: int = 32) -> str:
    """Hash of a value's canonical JSON (sorted keys, every field written, defaults too), as `length` hex digits."""
    data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:length]


class ChannelConfig(Frozen):
    """A network as data: all that is needed to build it again, and nothing about its weights."""

    schema_version: int = Field(default=SCHEMA_VERSION, description="version of this document's meaning")
    arch: str = Field(min_length=1, max_length=200, description="'vgg16', 'resnet56', 'torchvision/resnet18', …")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="factory options that change the dense network, e.g. {'width': 0.5}"
    )
    classes: int = Field(ge=1, le=100_000)
    shape: tuple[Extent, Extent, Extent] = Field(description="one input: channels, height, width")
    widths: dict[str, Width] = Field(description="channel group -> channels kept")
    picks: dict[str, tuple[Pick, ...]] = Field(
        default_factory=dict, description="for groups that select from a shared stream: which channels"
    )

    @property
    def id(self) -> str:
        """The architecture's identity: the hash of this document."""
        return content_hash(self)


class Slice(NamedTuple):
    """Where one group's channels lie in one tensor of the state dict.

    Channel `c` owns the indices `start + c * repeat … start + (c + 1) * repeat - 1` of dimension `dim`.
    """

    tensor: str
    dim: int
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


FLOOR = 0.1
"""Least share of a group's channels that stays, unless asked otherwise."""


def floor_of(width: int, share: float = FLOOR) -> int:
    """Channels of a group that always stay: a share of its width, rounded up, at least one."""
    return min(width, max(1, math.ceil(share * width)))


@dataclass(frozen=True)
class ChannelGroup:
    """Channels of several layers that are kept or cut together."""

    name: str
    width: int
    floor: int
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
