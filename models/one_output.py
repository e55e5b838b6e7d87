"""A network that gives several things, as one that gives the one that is trained on."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class OneOutput(nn.Module):
    """One of the outputs of a network: of a dictionary by its key, of a tuple or list by its place."""

    def __init__(self, net: nn.Module, output: str | int) -> None:
        super().__init__()
        self.net, self.output = net, output

    def forward(self, images: Tensor) -> Any:
        """That output. Raises TypeError, saying what there is, if there is none of that name."""
        given = self.net(images)
        if isinstance(given, dict) and self.output in given:
            return given[self.output]
        if isinstance(given, (tuple, list)) and isinstance(self.output, int) and self.output < len(given):
            return given[self.output]
        raise TypeError(f"{type(self.net).__name__} gives {_told(given)}, and no output {self.output!r}")


def _told(given: Any) -> str:
    if isinstance(given, dict):
        return f"outputs {', '.join(map(repr, given))}"
    return f"{len(given)} outputs" if isinstance(given, (tuple, list)) else f"one {type(given).__name__}"
