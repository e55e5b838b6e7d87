"""The architectures by name: the zoo, torchvision's classifiers, timm's, and what installed packages add.

A zoo architecture is one entry of `ARCHITECTURES`; torchvision's and timm's are found by themselves under
`torchvision/<name>` and `timm/<name>`.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, ClassVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from espalier.models import from_timm, from_torchvision
from espalier.models.config import ChannelConfig, Extent, Shape
from espalier.models.document import Frozen
from espalier.models.document import NoOptions as NoOptions
from espalier.models.entry import Architecture as Architecture
from espalier.models.entry import Scaled
from espalier.models.errors import ArchitectureError, UnknownArchitecture
from espalier.models.layers.draw import InitScheme
from espalier.models.zoo.conv import Conv
from espalier.models.zoo.densenet import DenseNet
from espalier.models.zoo.lenet import LeNet5, LeNet300
from espalier.models.zoo.mobilenet import MobileNetV1, MobileNetV2
from espalier.models.zoo.preresnet import PreResNet
from espalier.models.zoo.resnet import ResNet
from espalier.models.zoo.resnext import ResNeXt
from espalier.models.zoo.vgg import VGG


class Dropping(Scaled):
    """Options of networks with hidden linear layers."""

    dropout: float = Field(
        default=0.0, strict=True, ge=0, lt=1, description="share of hidden units dropped in training"
    )


class VGGOptions(Scaled):
    """Options of VGGs."""

    batch_norm: bool = Field(default=True, strict=True, description="without it, convolutions have a bias")


Branches = Annotated[int, Field(strict=True, ge=0, le=200)]
Stage = Annotated[int, Field(strict=True, ge=0, le=2)]


Three = tuple[Branches, Branches, Branches]


class Residual(Scaled):
    """Options of residual networks: whole blocks can be left out, as sparse structure selection does."""

    blocks: Three = Field(description="residual branches in each stage")
    bare: tuple[Stage, ...] = Field(
        default=(), max_length=3, description="stages (from 0) whose first block has lost its branch to the shortcut"
    )
    reshaping: ClassVar[tuple[int, ...]]
    """Stages whose first shortcut changes resolution or channels, and so stays when the branch goes."""

    @field_validator("bare")
    @classmethod
    def _once(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        """In order, and only where it says something, so that one network has one config."""
        blocks = info.data.get("blocks", (1, 1, 1))
        return tuple(stage for stage in cls.reshaping if stage in value and blocks[stage])


class ManyPaths(Residual):
    """Options of residual networks whose blocks are many paths: blocks and paths can be left out."""

    paths: int = Field(default=8, strict=True, ge=1, le=64, description="in each block, side by side (cardinality)")


def _residual(own: int, stages: tuple[int, ...], kind: type[Residual] = Residual) -> type[Residual]:
    class Options(kind):  # type: ignore[misc, valid-type]
        __doc__ = kind.__doc__
        blocks: Three = Field(default=(own, own, own), description=Residual.model_fields["blocks"].description)
        reshaping = stages

    return Options


class Growing(Frozen):
    """Options of densely connected networks."""

    growth: int = Field(default=12, strict=True, ge=1, le=128, description="channels that each layer appends")


MNIST: Shape = (1, 28, 28)
GLOROT = InitScheme(convolution="glorot", linear="glorot")


WITHOUT_NORMS = {"optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0}
"""What trains networks without norms: at the rates of the others, sgd diverges or learns little."""


def _vgg(depth: int) -> Architecture:
    return Architecture(
        f"vgg{depth}",
        f"VGG-{depth} with batch norm and one linear layer, for images of 16 px and more",
        lambda options, classes, shape: VGG(depth, classes, shape[0], options.width, options.batch_norm),
        options=VGGOptions,
        recipe=lambda options: {} if options.batch_norm else WITHOUT_NORMS,
        init=InitScheme(gamma=0.5),
    )


def _resnet(depth: int) -> Architecture:
    return Architecture(
        f"resnet{depth}",
        f"ResNet-{depth} for small images: basic blocks of 16/32/64 channels, option-A shortcuts",
        lambda options, classes, shape: ResNet(options.blocks, classes, shape[0], options.width, options.bare),
        options=_residual((depth - 2) // 6, (1, 2)),
        init=InitScheme(linear="fan_in"),
        branch_end="bn2",
    )


def _preresnet(depth: int) -> Architecture:
    return Architecture(
        f"preresnet{depth}",
        f"PreResNet-{depth} for small images: pre-activation bottlenecks with channel selection",
        lambda options, classes, shape: PreResNet(options.blocks, classes, shape[0], options.width, options.bare),
        options=_residual((depth - 2) // 9, (0, 1, 2)),
        init=InitScheme(gamma=0.5, linear="fan_in"),
        branch_end="conv3",
    )


def _resnext(depth: int) -> Architecture:
    return Architecture(
        f"resnext{depth}",
        f"ResNeXt-{depth} for small images: bottlenecks of 8 paths, 64 channels wide at first, that are cut whole",
        lambda options, classes, shape: ResNeXt(
            options.blocks, classes, shape[0], options.paths, options.width, options.bare
        ),
        options=_residual((depth - 2) // 9, (0, 1, 2), ManyPaths),
        init=InitScheme(linear="fan_in"),
        branch_end="bn3",
    )


def _conv(depth: int) -> Architecture:
    return Architecture(
        f"conv{depth}",
        f"Conv-{depth} of the lottery-ticket paper: {depth} convolutions, two hidden linear layers, no batch norm",
        lambda options, classes, shape: Conv(depth, classes, shape, options.width, options.dropout),
        options=Dropping,
        recipe=lambda _options: WITHOUT_NORMS,
        init=GLOROT,
    )


_ZOO = (
    Architecture(
        "lenet300",
        "LeNet-300-100: two hidden linear layers",
        lambda options, classes, shape: LeNet300(classes, shape, options.width),
        shape=MNIST,
        init=GLOROT,
    ),
    Architecture(
        "lenet5",
        "LeNet-5 as in Caffe: two convolutions, one hidden linear layer, no batch norm",
        lambda options, classes, shape: LeNet5(classes, shape, options.width),
        shape=MNIST,
        recipe=lambda _options: WITHOUT_NORMS,
        init=GLOROT,
    ),
    *map(_conv, (2, 4, 6)),
    *map(_vgg, (11, 13, 16, 19)),
    *map(_resnet, (20, 32, 44, 56, 110)),
    *map(_preresnet, (20, 56, 110, 164)),
    *map(_resnext, (20, 29)),
    Architecture(
        "densenet40",
        "DenseNet-40 for small images: 3x3 convolutions that append 12 channels each, with channel selection",
        lambda options, classes, shape: DenseNet(40, classes, shape[0], options.growth),
        options=Growing,
        init=InitScheme(gamma=0.5, linear="fan_in"),
    ),
    Architecture(
        "densenet_bc100",
        "DenseNet-BC-100 for small images: bottlenecks, transitions that halve the channels, channel selection",
        lambda options, classes, shape: DenseNet(
            100, classes, shape[0], options.growth, bottleneck=True, compression=0.5
        ),
        options=Growing,
        init=InitScheme(gamma=0.5, linear="fan_in"),
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

PACKAGES = (from_torchvision, from_timm)
"""Libraries whose networks are found by themselves, as `<package>/<name>`."""
PLUGINS = "espalier.architectures"
"""Entry-point group through which installed packages add architectures, as `<package>/<entry point>`."""


def names() -> list[str]:
    """Every name `architecture` knows: the zoo, torchvision's classifiers, timm's where it is installed, and what
    other installed packages add."""
    found = (package.PREFIX + name for package in PACKAGES for name in package.names())
    return [*ARCHITECTURES, *found, *_plugins()]


def architecture(name: str) -> Architecture:
    """The entry of that name.

    Raises UnknownArchitecture, which lists the names there are, or ArchitectureError if a package's own is broken.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    for package in PACKAGES:
        plain = name.removeprefix(package.PREFIX)
        if name.startswith(package.PREFIX) and plain in package.names():
            found: Architecture = package.entry(plain)
            return found
    if name in _plugins():
        return _from_plugin(name, _plugins()[name])
    raise UnknownArchitecture(name, names())


class _Image(Frozen):
    """The shape of an image: channels, height, width."""

    shape: tuple[Extent, Extent, Extent]


@functools.cache
def _plugins() -> dict[str, EntryPoint]:
    return {f"{entry.dist.name}/{entry.name}": entry for entry in entry_points(group=PLUGINS) if entry.dist}


@functools.cache
def _from_plugin(name: str, entry: EntryPoint) -> Architecture:
    where = f"{name!r} ({entry.value})"
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:  # somebody else's module may raise anything
        raise ArchitectureError(f"{where} cannot be loaded: {error}") from error
    if not isinstance(found, Architecture):
        raise ArchitectureError(f"{where} is a {type(found).__name__}; it must be an espalier.models.Architecture")
    if not (isinstance(found.options, type) and issubclass(found.options, Frozen)):
        raise ArchitectureError(f"{where} has options of {found.options!r}; they must be a subclass of {Frozen!r}")
    try:
        _Image(shape=found.shape)
        ChannelConfig.of_classifier(name, {}, found.classes, found.shape, {})
    except ValidationError as error:
        problems = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
        raise ArchitectureError(f"{where} cannot have its own input or classes: {problems}") from error
    return replace(found, name=name)
