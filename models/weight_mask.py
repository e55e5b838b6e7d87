"""Which single weights of a network are kept. The others are zero, and stay so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from espalier.models.config import Cost
from espalier.models.errors import WeightsError
from espalier.models.tracing.coupling import Coupling
from espalier.models.weights import packed


@dataclass(frozen=True)
class WeightMask:
    """Parameter name -> bool tensor of its shape: True where the weight is kept. What is not named is kept whole."""

    kept: Mapping[str, Tensor]

    @cached_property
    def file(self) -> bytes:
        """As a safetensors file, eight weights in a byte. The same mask is the same file."""
        bits = {name: torch.from_numpy(np.packbits(self.kept[name].numpy())) for name in sorted(self.kept)}
        shapes = {name: list(self.kept[name].shape) for name in bits}
        return packed(bits, {"shapes": json.dumps(shapes)})

    @cached_property
    def hash(self) -> str:
        """The mask's name: the hash of its file."""
        return hashlib.sha256(self.file).hexdigest()

    @classmethod
    def read(cls, path: Path) -> WeightMask:
        """A mask from its file. Raises WeightsError."""
        try:
            with safe_open(path, "np") as file:
                shapes: dict[str, list[int]] = json.loads((file.metadata() or {})["shapes"])
                found = {name: np.unpackbits(file.get_tensor(name)) for name in shapes}
            return cls(
                {
                    name: torch.from_numpy(found[name][: int(np.prod(shape))].reshape(shape).astype(bool))
                    for name, shape in shapes.items()
                }
            )
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise WeightsError(f"{path.name} is no mask of weights: {error}") from error

    @property
    def densities(self) -> dict[str, float]:
        """Share of each parameter's weights that is kept."""
        return {name: float(kept.double().mean()) for name, kept in self.kept.items()}

    @property
    def density(self) -> float:
        """Share of all weights it names that is kept."""
        return sum(int(kept.sum()) for kept in self.kept.values()) / sum(kept.numel() for kept in self.kept.values())

    def nonzero(self, dense: Cost, coupling: Coupling) -> Cost:
        """What a network costs if zeros are free."""
        gone = {name: int((~kept).sum()) for name, kept in self.kept.items()}
        macs = sum(count * coupling.macs_per_weight.get(name, 0) for name, count in gone.items())
        return Cost(dense.params - sum(gone.values()), dense.macs - macs)

    @torch.no_grad()
    def apply(self, net: nn.Module) -> None:
        """Set what is not kept to zero, in place."""
        for name, kept in self.kept.items():
            parameter = net.get_parameter(name)
            parameter.masked_fill_(~kept.to(parameter.device), 0.0)

    def check(self, net: nn.Module) -> None:
        """Raise WeightsError unless it fits the network's parameters, and leaves something of each."""
        shapes = {name: tuple(parameter.shape) for name, parameter in net.named_parameters()}
        for name, kept in self.kept.items():
            if name not in shapes:
                raise WeightsError(f"the mask names {name!r}, which is no parameter of this network")
            if tuple(kept.shape) != shapes[name] or kept.dtype != torch.bool:
                got = f"{kept.dtype} of shape {tuple(kept.shape)}"
                raise WeightsError(f"{name!r} needs a bool mask of shape {shapes[name]}, got {got}")
            if not kept.any():
                raise WeightsError(f"the mask leaves no weight of {name!r}; keep at least one")
