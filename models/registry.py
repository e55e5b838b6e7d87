"""The architectures by name, and from a channel config to a network.

A zoo architecture is one entry of `ARCHITECTURES`; torchvision's classifiers are found by themselves under
`torchvision/<name>`.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, cast, get_type_hints

import torch
import torchvision
from pydantic import Field, JsonValue, ValidationError, field_validator
from torch import nn

from models.config import SCHEMA_VERSION, ChannelConfig, ChannelGroup, ChannelMask, Frozen
from models.coupling import Coupling, Shape, resized, trace
from models.errors import ArchitectureError, ConfigError, UnknownArchitecture
from models.initialise import COVERED, Weights, check_initialisable, initialise
from models.tensors import on_meta, with_memory, without_memory
from models.zoo.conv import Conv
from models.zoo.densenet import DenseNet
from models.zoo.lenet import LeNet5, LeNet300
from models.zoo.mobilenet import MobileNetV1, MobileNetV2
from models.zoo.preresnet import PreResNet
from models.zoo.resnet import ResNet
from models.zoo.vgg import VGG


class NoOptions(Frozen):
    """No options."""


class Scaled(Frozen):
    """Options of networks whose every layer can be made wider or narrower at once."""

    width: float = Field(default=1.0, strict=True, gt=0, le=8, description="factor on every layer's channels")


class VGGOptions(Scaled):
    """Options of VGGs."""

    batch_norm: bool = Field(default=True, strict=True, description="without it, convolutions have a bias")


Branches = Annotated[int, Field(strict=True, ge=0, le=200)]
Stage = Annotated[int, Field(strict=True, ge=0, le=2)]


class Residual(Scaled):
    """Options of residual networks: whole blocks can be left out, as sparse structure selection does."""

    blocks: tuple[Branches, Branches, Branches] | None = Field(
        default=None, description="residual branches in each stage; the depth's own number in all three if not given"
    )
    bare: tuple[Stage, ...] = Field(
        default=(), max_length=3, description="stages (from 0) whose first block has lost its branch to the shortcut"
    )

    @field_validator("bare")
    @classmethod
    def _in_order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(value)))  # so that one network has one config


class Growing(Frozen):
    """Options of densely connected networks."""

    growth: int = Field(default=12, strict=True, ge=1, le=128, description="channels that each layer appends")


AS_PAPERS = Weights()


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
    weights: Weights = AS_PAPERS
    """How fresh weights are drawn."""


MNIST: Shape = (1, 28, 28)
GLOROT = Weights(convolution="glorot", linear="glorot")


def _vgg(depth: int) -> Architecture:
    return Architecture(
        f"vgg{depth}",
        f"VGG-{depth} with batch norm and one linear layer, for images of 16 px and more",
        lambda options, classes, shape: VGG(depth, classes, shape[0], options.width, options.batch_norm),
        options=VGGOptions,
        weights=Weights(gamma=0.5),
    )


def _branches(options: Residual, own: int) -> tuple[int, ...]:
    return options.blocks or (own, own, own)


def _resnet(depth: int) -> Architecture:
    return Architecture(
        f"resnet{depth}",
        f"ResNet-{depth} for small images: basic blocks of 16/32/64 channels, option-A shortcuts",
        lambda options, classes, shape: ResNet(
            _branches(options, (depth - 2) // 6), classes, shape[0], options.width, options.bare
        ),
        options=Residual,
    )


def _preresnet(depth: int) -> Architecture:
    return Architecture(
        f"preresnet{depth}",
        f"PreResNet-{depth} for small images: pre-activation bottlenecks with channel selection",
        lambda options, classes, shape: PreResNet(
            _branches(options, (depth - 2) // 9), classes, shape[0], options.width, options.bare
        ),
        options=Residual,
        weights=Weights(gamma=0.5),
    )


def _conv(depth: int) -> Architecture:
    return Architecture(
        f"conv{depth}",
        f"Conv-{depth} of the lottery-ticket paper: {depth} convolutions, two hidden linear layers, no batch norm",
        lambda options, classes, shape: Conv(depth, classes, shape, options.width),
        weights=GLOROT,
    )


_ZOO = (
    Architecture(
        "lenet300",
        "LeNet-300-100: two hidden linear layers",
        lambda options, classes, shape: LeNet300(classes, shape, options.width),
        shape=MNIST,
        weights=GLOROT,
    ),
    Architecture(
        "lenet5",
        "LeNet-5 as in Caffe: two convolutions, one hidden linear layer, no batch norm",
        lambda options, classes, shape: LeNet5(classes, shape, options.width),
        shape=MNIST,
        weights=GLOROT,
    ),
    *map(_conv, (2, 4, 6)),
    *map(_vgg, (11, 13, 16, 19)),
    *map(_resnet, (20, 32, 44, 56, 110)),
    *map(_preresnet, (20, 56, 110, 164)),
    Architecture(
        "densenet40",
        "DenseNet-40 for small images: 3x3 convolutions that append 12 channels each, with channel selection",
        lambda options, classes, shape: DenseNet(40, classes, shape[0], options.growth),
        options=Growing,
        weights=Weights(gamma=0.5),
    ),
    Architecture(
        "densenet_bc100",
        "DenseNet-BC-100 for small images: bottlenecks, transitions that halve the channels, channel selection",
        lambda options, classes, shape: DenseNet(
            100, classes, shape[0], options.growth, bottleneck=True, compression=0.5
        ),
        options=Growing,
        weights=Weights(gamma=0.5),
    ),
    Architecture(
        "mobilenet_v1",
        "MobileNet for small images: depthwise-separable convolutions",
        lambda options, classes, shape: MobileNetV1(classes, shape[0], options.width),
    ),
    Architecture(
        "mobilenet_v2",
        "MobileNet-V2 for small images: inverted residuals with depthwise convolutions",
        lambda options, classes, shape: MobileNetV2(classes, shape[0], options.width),
    ),
)

ARCHITECTURES: dict[str, Architecture] = {entry.name: entry for entry in _ZOO}

TORCHVISION = "torchvision/"
LAYER_NORMED = ("convnext", "maxvit", "swin", "vit")
"""Families of torchvision whose papers draw linear layers wider."""
PLUGINS = "espalier.architectures"
"""Entry-point group through which installed packages add architectures, as `<package>/<entry point>`."""


def names() -> list[str]:
    """Every name `architecture` knows: the zoo, torchvision's classifiers, and what installed packages add."""
    found = (TORCHVISION + name for name in torchvision.models.list_models(torchvision.models))
    return [*ARCHITECTURES, *found, *_plugins()]


def architecture(name: str) -> Architecture:
    """The entry of that name.

    Raises UnknownArchitecture, which lists the names there are, or ArchitectureError if a package's own is broken.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    plain = name.removeprefix(TORCHVISION)
    if name.startswith(TORCHVISION) and plain in torchvision.models.list_models(torchvision.models):
        return _from_torchvision(plain)
    if name in _plugins():
        return _from_plugin(name, _plugins()[name])
    raise UnknownArchitecture(name, names())


@functools.cache
def _plugins() -> dict[str, EntryPoint]:
    return {f"{entry.dist.name}/{entry.name}": entry for entry in entry_points(group=PLUGINS) if entry.dist}


@functools.cache
def _from_plugin(name: str, entry: EntryPoint) -> Architecture:
    try:
        found = entry.load()
    except Exception as error:  # somebody else's module may raise anything
        raise ArchitectureError(f"{name!r} ({entry.value}) cannot be loaded: {error}") from error
    if not isinstance(found, Architecture):
        kind = f"{Architecture.__module__}.{Architecture.__qualname__}"
        raise ArchitectureError(f"{name!r} ({entry.value}) is a {type(found).__name__}; it must be a {kind}")
    return replace(found, name=name)


@functools.cache
def _from_torchvision(name: str) -> Architecture:
    builder = torchvision.models.get_model_builder(name)
    trained = next(iter(cast(Any, torchvision.models.get_model_weights(name))))
    size = trained.transforms().crop_size[0]
    # Auxiliary heads are thrown away after training, so the networks come without; and we draw weights ourselves.
    known = inspect.signature(get_type_hints(builder)["return"]).parameters
    fixed: dict[str, Any] = {option: False for option in ("aux_logits", "init_weights") if option in known}

    def make(_options: NoOptions, classes: int, shape: Shape) -> nn.Module:
        if shape[0] != 3:
            raise ArchitectureError(f"{TORCHVISION}{name} takes images of 3 channels, got {shape[0]}")
        sized = {"image_size": shape[1]} if "image_size" in known else {}
        return cast(nn.Module, builder(weights=None, num_classes=classes, **fixed, **sized))

    return Architecture(
        TORCHVISION + name,
        f"torchvision's {name}",
        make,
        options=NoOptions,
        classes=1000,
        shape=(3, size, size),
        weights=Weights(linear=0.02) if name.startswith(LAYER_NORMED) else AS_PAPERS,
    )


@dataclass(frozen=True)
class Blueprint:
    """A dense network without weights, and how its channels are coupled."""

    skeleton: nn.Module
    """Layers that `initialise` covers are on the meta device: shapes, no memory. What else holds tensors (position
    tables, class tokens) has the values of its own constructor."""
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
        with without_memory(COVERED), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # position tables and the like are the same in every process
            skeleton = entry.make(chosen, classes, shape)
    except ArchitectureError:
        raise
    except Exception as error:  # a factory's own code may raise anything
        words = f"{type(error).__name__}: {error}"
        raise ArchitectureError(f"{arch} cannot be made for {classes} classes of {shape}: {words}") from error
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


def thinned(whole: ChannelConfig, mask: ChannelMask) -> ChannelConfig:
    """The config of what `prune` makes of the whole network with this mask.

    Which channels were kept is noted where it cannot be forgotten: in groups that select from a shared stream, and
    lost some.
    """
    selecting = {group.name for group in groups(whole) if group.selection}
    picks = {
        name: tuple(kept.nonzero().flatten().tolist())
        for name, kept in mask.kept.items()
        if name in selecting and not kept.all()
    }
    return whole.model_copy(update={"widths": mask.widths, "picks": picks})


def validate(config: ChannelConfig) -> None:
    """Raise ConfigError unless the config names every group of its network with a width it can have."""
    if config.schema_version != SCHEMA_VERSION:
        raise ConfigError(f"this is schema version {config.schema_version}; this release reads {SCHEMA_VERSION}")
    known = {group.name: group for group in groups(config)}
    for field in (config.widths, config.picks):
        if unknown := sorted(set(field) - set(known)):
            there = ", ".join(known) or "none"
            raise ConfigError(f"{config.arch} has no group {', '.join(map(repr, unknown))}; there are: {there}")
    for name, group in known.items():
        if name not in config.widths:
            raise ConfigError(f"the width of group {name!r} is missing (it has {group.width} channels)")
        if not 1 <= config.widths[name] <= group.width:
            raise ConfigError(f"group {name!r} has 1 to {group.width} channels, got {config.widths[name]}")
        _validate_picks(group, config.widths[name], config.picks.get(name))


def _validate_picks(group: ChannelGroup, width: int, picks: tuple[int, ...] | None) -> None:
    """Picks stand exactly where channels are selected and some are left out, so that one network has one config."""
    needed = group.selection is not None and width < group.width
    if picks is None and needed:
        raise ConfigError(
            f"group {group.name!r} selects {width} of {group.width} channels, and picks must say which, in order"
        )
    if picks is None:
        return
    if group.selection is None:
        raise ConfigError(f"group {group.name!r} does not select channels, so it has no picks")
    if not needed:
        raise ConfigError(f"group {group.name!r} keeps all of its {group.width} channels, so it needs no picks")
    if len(picks) != width:
        raise ConfigError(f"group {group.name!r} has width {width}, but {len(picks)} picks")
    if list(picks) != sorted(set(picks)) or not 0 <= picks[0] <= picks[-1] < group.width:
        raise ConfigError(f"picks of group {group.name!r} are ascending numbers from 0 to {group.width - 1}, each once")


def skeleton(config: ChannelConfig) -> nn.Module:
    """The network of a config on the meta device: shapes without memory. Raises ConfigError before anything else."""
    return on_meta(bare(config))


def build(config: ChannelConfig, seed: int = 0) -> nn.Module:
    """The network of a config with fresh weights, drawn deterministically by `seed`; never larger than it must be.

    Raises ConfigError naming the group that does not fit, before any memory is taken.
    """
    net = with_memory(bare(config))
    initialise(net, seed, architecture(config.arch).weights)
    return net


def bare(config: ChannelConfig) -> nn.Module:
    """The network of a config in which only those tensors have values that are no matter of drawing weights: picks,
    position tables and the like. The others lie on the meta device. Raises ConfigError before anything else."""
    validate(config)
    plan = blueprint(config)
    net = resized(plan.skeleton, plan.coupling, config.widths)
    for group in plan.coupling.groups:
        if group.name in config.picks and group.selection:
            net.get_buffer(group.selection.buffer.tensor).copy_(torch.tensor(config.picks[group.name]))
    return net
