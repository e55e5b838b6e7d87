"""Every architecture but timm's 1,300, whose families `docs/coverage-timm.md` tells: what `docs/coverage.md` says of it
is true."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torchvision

from espalier.models import from_timm, from_torchvision
from espalier.models.architectures import architecture, names
from espalier.models.config import ChannelConfig
from espalier.models.errors import ArchitectureError
from espalier.models.network import Network, dense, forget_traced, thinned
from espalier.models.self_check import random_mask, self_check
from espalier.models.tracing.coupling import Coupling
from espalier.search.exports import export

MASKS = 3
SMALL_IMAGES = ((3, 32, 32), (3, 64, 64), (3, 96, 96), (3, 112, 112))
"""Sizes at which cuts are tried before the architecture's own: what is coupled is the same, and there is less to do."""
CONVOLUTIONAL = (
    "alexnet", "densenet", "efficientnet", "googlenet", "inception", "mnasnet", "mobilenet", "regnet", "resnet",
    "resnext", "shufflenet", "squeezenet", "vgg", "wide_resnet",
)  # fmt: skip
"""Families of torchvision whose convolutions can be pruned. ConvNeXt is not one: a layer norm reads every convolution
there, so that only its linear layers can, which hold nine tenths of its parameters."""


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    """So that one network's memory is never another's."""
    yield
    forget_traced()


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in names() if not name.startswith(from_timm.PREFIX)])
def test_an_architecture_is_cut_exactly_and_rebuilds(name: str) -> None:
    whole = Network.of(dense(name))
    assert whole.groups
    plain = name.removeprefix(from_torchvision.PREFIX)
    if name != plain:
        published = next(iter(torchvision.models.get_model_weights(plain))).meta
        assert whole.cost.macs / 1e9 == pytest.approx(published["_ops"], abs=1e-3)
        # Inception comes without its auxiliary head
        assert (whole.cost.params == published["num_params"]) == (plain != "inception_v3")
    if name != plain and plain.startswith(CONVOLUTIONAL):
        assert prunable_convolutions(whole.coupling) >= 0.9
    if plain.startswith("convnext"):
        assert whole.coupling.prunable()[0] >= 0.9
    small = smaller(name)
    self_check(small, MASKS, double=True)
    cut = thinned(Network.of(small), random_mask(Network.of(small).groups, seed=0))
    assert export("python", cut, None).content  # tried out before it is given


def smaller(name: str) -> ChannelConfig:
    """The architecture for the smallest images it takes, or for its own."""
    for shape in SMALL_IMAGES if name.startswith(from_torchvision.PREFIX) else ():
        try:
            return dense(name, 10, shape)
        except ArchitectureError:
            continue
    return dense(name, 10, architecture(name).shape)


def prunable_convolutions(coupling: Coupling) -> float:
    """Share of the convolutions' parameters that lies on at least one prunable channel."""
    weights = [
        tensor for tensor, shape in coupling.shapes.items() if len(shape) == 4 and tensor in coupling.macs_per_weight
    ]
    total = sum(math.prod(coupling.shapes[tensor]) for tensor in weights)
    return 1 - sum(map(coupling.kept_part, weights)) / total
