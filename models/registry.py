"""The architectures by name, and from a channel config to a network.

A zoo architecture is one entry of `ARCHITECTURES`; torchvision's classifiers are found by themselves under
`torchvision/<name>`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torchvision
from pydantic import Field, JsonValue, ValidationError
from torch import nn

from models.config import SCHEMA_VERSION, ChannelConfig, ChannelGroup, Frozen
from models.coupling import Coupling, resized, trace
from models.errors import ArchitectureError, ConfigError, UnknownArchitecture
from models.initialise import check_initialisable, initialise
from models.tensors import on_meta
from models.zoo.mobilenet import MobileNet
from models.zoo.resnet import ResNet
from models.zoo.vgg import VGG

Shape = tuple[int, int, int]


class NoOptions(Frozen):
    """No options."""


class Scaled(Frozen):
    """Options of networks whose every layer can be made wider or narrower at once."""

    width: float = Field(default=1.0, strict=True, gt=0, le=8, description="factor on every layer's channels")


@dataclass(frozen=True)
class Architecture:
    """One entry of the registry."""

    name: str
    description: str
    make: Callable[[Any, int, Shape], nn.Module]
    """(options, classes, input shape) -> the dense network."""
    options: type[Frozen] = Scaled
    classes: int = 10
    shape: Shape = (3, 32, 32)
    gamma: float = 1.0
    """Initial scale of batch norms when trained from scratch."""


def _vgg(depth: int) -> Architecture:
    return Architecture(
        f"vgg{depth}",
        f"VGG-{depth} with batch norm and one linear layer, for images of 16 px and more",
        lambda options, classes, shape: VGG(depth, classes, shape[0], options.width),
        gamma=0.5,
    )


def _resnet(depth: int) -> Architecture:
    return Architecture(
        f"resnet{depth}",
        f"ResNet-{depth} for small images: basic blocks of 16/32/64 channels, option-A shortcuts",
        lambda options, classes, shape: ResNet(depth, classes, shape[0], options.width),
    )


_ZOO = (
    *map(_vgg, (11, 13, 16, 19)),
    *map(_resnet, (20, 32, 56, 110)),
    Architecture(
        "mobilenet_v1",
        "MobileNet for small images: depthwise-separable convolutions",
        lambda options, classes, shape: MobileNet(classes, shape[0], options.width),
    ),
)

ARCHITECTURES: dict[str, Architecture] = {entry.name: entry for entry in _ZOO}

TORCHVISION = "torchvision/"


def names() -> list[str]:
    """Every name `architecture` knows, the zoo first."""
    return [*ARCHITECTURES, *(TORCHVISION + name for name in torchvision.models.list_models(torchvision.models))]


def architecture(name: str) -> Architecture:
    """The entry of that name. Raises UnknownArchitecture, which lists the names there are."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    plain = name.removeprefix(TORCHVISION)
    if name.startswith(TORCHVISION) and plain in torchvision.models.list_models(torchvision.models):
        return _from_torchvision(plain)
    raise UnknownArchitecture(name, names())


@functools.cache
def _from_torchvision(name: str) -> Architecture:
    builder = torchvision.models.get_model_builder(name)
    weights = torchvision.models.get_model_weights(name)
    size = cast(Any, next(iter(weights))).transforms().crop_size[0]

    def make(_options: NoOptions, classes: int, shape: Shape) -> nn.Module:
        if shape[0] != 3:
            raise ArchitectureError(f"{TORCHVISION}{name} takes images of 3 channels, got {shape[0]}")
        return cast(nn.Module, builder(weights=None, num_classes=classes))

    return Architecture(
        TORCHVISION + name, f"torchvision's {name}", make, options=NoOptions, classes=1000, shape=(3, size, size)
    )


@dataclass(frozen=True)
class Blueprint:
    """A dense network without weights, and how its channels are coupled."""

    skeleton: nn.Module
    """On the meta device: shapes, no memory."""
    coupling: Coupling


def blueprint(config: ChannelConfig) -> Blueprint:
    """The dense network a config is cut from. Traced once per process and architecture.

    Raises UnknownArchitecture, ArchitectureError (options or input refused) or TraceError.
    """
    return _blueprint(config.arch, json.dumps(config.options, sort_keys=True), config.classes, config.shape)


@functools.lru_cache(maxsize=64)
def _blueprint(arch: str, options: str, classes: int, shape: Shape) -> Blueprint:
    entry = architecture(arch)
    chosen = _chosen(entry, json.loads(options))
    try:
        with torch.device("meta"):
            skeleton = entry.make(chosen, classes, shape)
    except NotImplementedError:  # its constructor computes with tensors (torchvision's RegNets)
        skeleton = on_meta(entry.make(chosen, classes, shape))
    check_initialisable(skeleton)
    return Blueprint(skeleton, trace(skeleton, shape))


def _chosen(entry: Architecture, options: Mapping[str, JsonValue]) -> Frozen:
    try:
        return entry.options.model_validate(options)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in error.errors())
        allowed = ", ".join(entry.options.model_fields) or "none"
        raise ArchitectureError(f"options of {entry.name!r}: {problems} (there are: {allowed})") from error


def groups(config: ChannelConfig) -> tuple[ChannelGroup, ...]:
    """The channel groups of the dense network this config is cut from."""
    return blueprint(config).coupling.groups


def dense(
    arch: str, classes: int | None = None, shape: Shape | None = None, options: Mapping[str, JsonValue] | None = None
) -> ChannelConfig:
    """The config of the whole network; classes and input shape default to the architecture's own.

    Options that say no more than the defaults are left out, so that one network has one config.
    """
    entry = architecture(arch)
    bare = ChannelConfig(
        arch=arch,
        options=_chosen(entry, options or {}).model_dump(mode="json", exclude_defaults=True),
        classes=classes or entry.classes,
        shape=shape or entry.shape,
        widths={},
    )
    return bare.model_copy(update={"widths": blueprint(bare).coupling.widths})


def validate(config: ChannelConfig) -> None:
    """Raise ConfigError unless the config names every group of its network with a width it can have."""
    if config.schema_version != SCHEMA_VERSION:
        raise ConfigError(f"this is schema version {config.schema_version}; this release reads {SCHEMA_VERSION}")
    if config.picks:
        raise ConfigError(f"{config.arch} has no groups that select channels, but picks name {', '.join(config.picks)}")
    known = blueprint(config).coupling.widths
    if unknown := sorted(set(config.widths) - set(known)):
        raise ConfigError(f"{config.arch} has no group {', '.join(map(repr, unknown))}; there are: {', '.join(known)}")
    for name, width in known.items():
        if name not in config.widths:
            raise ConfigError(f"the width of group {name!r} is missing (it has {width} channels)")
        if not 1 <= config.widths[name] <= width:
            raise ConfigError(f"group {name!r} has 1 to {width} channels, got {config.widths[name]}")


def skeleton(config: ChannelConfig) -> nn.Module:
    """The network of a config on the meta device: shapes without memory. Raises ConfigError before anything else."""
    validate(config)
    plan = blueprint(config)
    return resized(plan.skeleton, plan.coupling, config.widths)


def build(config: ChannelConfig, seed: int = 0) -> nn.Module:
    """The network of a config with fresh weights, drawn deterministically by `seed`; never larger than it must be.

    Raises ConfigError naming the group that does not fit, before any memory is taken.
    """
    net = skeleton(config).to_empty(device="cpu")
    initialise(net, seed, architecture(config.arch).gamma)
    return net
