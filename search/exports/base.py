"""What exports are made from, and how they are checked before they leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from espalier.models.config import ChannelConfig
from espalier.models.network import Network
from espalier.models.tensors import precision_of
from espalier.models.weights import notes_of
from espalier.search.errors import SpecError, WeightsLost
from espalier.search.results import Preprocessing
from espalier.search.version import VERSION

CLOSE = 1e-3
"""Largest difference between a network and its export, as a share of the largest output."""


class Source:
    """A config and, if any were kept, a safetensors file of this architecture's trained weights."""

    def __init__(self, config: ChannelConfig, weights: Path | None, are_lost: bool = False) -> None:
        self.config, self.weights, self.are_lost = config, weights, are_lost
        self.network = Network.of(config)

    @cached_property
    def _written(self) -> dict[str, str]:
        """What evaluation wrote beside the weights."""
        return {} if self.weights is None else notes_of(self.weights)

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What the trained network wants to see, if there is one and it is known."""
        text = self._written.get("preprocessing")
        return None if text is None else Preprocessing.model_validate_json(text)

    @property
    def measured(self) -> dict[str, Any] | None:
        """How good the trained network is, if there is one and it is known: metrics on hold-out and test data."""
        text = self._written.get("measured")
        found: dict[str, Any] | None = None if text is None else json.loads(text)
        return found

    @property
    def notes(self) -> dict[str, str]:
        """What a file that can carry notes says of itself."""
        about = {name: text for name, text in self._written.items() if name in ("preprocessing", "measured")}
        return {"config": self.config.model_dump_json(), **about, "made_by": f"espalier {VERSION}"}

    def check_not_lost(self) -> None:
        """Raise WeightsLost if there were weights."""
        if self.are_lost:
            raise WeightsLost("the weights of this architecture are gone or damaged; submit its job again to train it")

    def trained(self) -> nn.Module:
        """The module with its trained weights, if they were kept, else with fresh ones. Raises WeightsLost."""
        self.check_not_lost()
        network = self.network.fresh() if self.weights is None else self.network.with_weights(self.weights)
        return network.module.eval()


def example_for(net: nn.Module, config: ChannelConfig) -> Tensor:
    """Three random images, in the network's own precision."""
    return torch.randn((3, *config.shape), generator=torch.Generator().manual_seed(0)).to(precision_of(net))


def difference(expected: Tensor, given: Tensor) -> float:
    """The largest difference from what a network gives, as a share of its largest output."""
    return float((given - expected).abs().max() / expected.abs().max().clamp(min=1e-6))


def check_alike(format: str, net: nn.Module, example: Tensor, other: Callable[[Tensor], Tensor]) -> None:
    """Raise SpecError unless the exported program computes what the network does, for another batch size, too."""
    for x in (example, example[:2]):
        with torch.no_grad():
            by = difference(net(x), other(x))
        if not by <= CLOSE:
            raise SpecError(f"as {format} this network would differ by {by:.2g} of its largest output")
