"""What tests of networks share: the zoo in small sizes, masks that fit, layers drawn and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from espalier.models.architectures import ARCHITECTURES
from espalier.models.config import ChannelConfig
from espalier.models.entry import AS_PAPERS
from espalier.models.initialise import initialise
from espalier.models.layers import Layer, layer_of
from espalier.models.layers.draw import InitScheme
from espalier.models.network import Network, build, dense
from espalier.models.self_check import randomise
from espalier.models.tracing.coupling import Coupling

THIN: dict[str, JsonValue] = {"width": 0.125, "growth": 4}
FEW: dict[str, JsonValue] = {"blocks": [2, 0, 2], "bare": [2]}
DEEP = ("resnet32", "resnet44", "resnet110", "preresnet110", "preresnet164", "resnext29")
"""Others of their families with more blocks; the sweep over all architectures, a long test, has them whole."""
SAMPLE = ("resnet18", "regnet_y_400mf", "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1")
"""Of torchvision's, small ones for each kind of coupling; the sweep has them all."""


def _small(name: str) -> ChannelConfig:
    options = THIN | (FEW if name.endswith("56") else {})
    fields = ARCHITECTURES[name].options.model_fields
    return dense(name, 4, (3, 32, 32), {field: value for field, value in options.items() if field in fields})


SMALL = {name: _small(name) for name in ARCHITECTURES if name not in DEEP}
SMALL |= {f"torchvision/{name}": dense(f"torchvision/{name}", 4, (3, 32, 32)) for name in SAMPLE}
"""The zoo and some of torchvision's, in sizes that take milliseconds."""


class Case(NamedTuple):
    """A network, how its channels are coupled, and inputs."""

    config: ChannelConfig
    net: nn.Module
    coupling: Coupling
    inputs: Tensor


def case(name: str, config: ChannelConfig | None = None) -> Case:
    """A dense network whose every tensor differs from its initial value, since most errors hide behind those."""
    config = config or SMALL[name]
    net = build(config, seed=1).double().eval()
    generator = torch.Generator().manual_seed(2)
    randomise(net, generator)
    inputs = torch.randn(2, *config.shape, dtype=torch.float64, generator=generator)
    return Case(config, net, Network.of(config).coupling, inputs)


def close(one: Tensor, other: Tensor) -> bool:
    """Equal up to rounding, relative to the largest value (deep networks grow)."""
    return bool((one - other).abs().max() <= 1e-9 * max(1.0, float(other.abs().max())))


def rebuilt(layer: nn.Module) -> nn.Module:
    """The layer that its source makes."""
    made: nn.Module = eval(f"nn.{(layer_of(layer) or Layer(type(layer))).source(layer)}", {"nn": nn})
    return made


def drawn(layer: nn.Module, seed: int, scheme: InitScheme = AS_PAPERS) -> dict[str, Tensor]:
    """A layer's tensors after they were drawn."""
    initialise(layer, seed, scheme)
    return {name: tensor.clone() for name, tensor in layer.state_dict().items()}


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """The same names with the same values."""
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())
