"""Pruned networks of every family, and one that says what its images went through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from espalier.models.architectures import ARCHITECTURES, Architecture
from espalier.models.config import ChannelConfig
from espalier.models.document import NoOptions
from espalier.models.network import Network, build, dense, forget_traced, thinned
from espalier.models.self_check import random_mask
from espalier.models.weights import packed
from espalier.search.results import Preprocessing
from tests.models.helpers import SMALL

FAMILIES = (
    "lenet300", "lenet5", "conv4", "vgg11", "resnet20", "preresnet20", "densenet40", "mobilenet_v1", "mobilenet_v2",
    *(name for name in SMALL if name.startswith("torchvision/")),
)  # fmt: skip
EVERY_KIND = (*FAMILIES, "torchvision/convnext_tiny", "torchvision/swin_t", "torchvision/vit_b_32")
ONLY_FITS = {"torchvision/maxvit_t": 224}  # its windows tile no smaller image


def pruned(name: str) -> ChannelConfig:
    edge = ONLY_FITS.get(name, 64)
    config = SMALL.get(name) or dense(name, 4, (3, edge, edge))
    return thinned(Network.of(config), random_mask(Network.of(config).groups, 4))


def weights_of(config: ChannelConfig, path: Path, seed: int = 3) -> Path:
    """A file of weights as evaluation writes them."""
    notes = {"config": config.model_dump_json(), "preprocessing": SEEN.model_dump_json()}
    path.write_bytes(packed(build(config, seed).state_dict(), notes))
    return path


SEEN = Preprocessing(dataset='folder:a"""b\\', classes=("cat", 'd"og'), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))


def own(make: Callable[[], nn.Module], patch: pytest.MonkeyPatch) -> ChannelConfig:
    """The config of a network of one's own, known as long as the patch lasts."""
    entry: Any = Architecture("own", "", lambda *_: make(), options=NoOptions, classes=2, shape=(3, 8, 8))
    patch.setitem(ARCHITECTURES, "own", entry)
    forget_traced()
    return dense("own")
