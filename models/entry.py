"""One entry of the registry of architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from torch import nn

from espalier.models.config import Shape
from espalier.models.document import Frozen
from espalier.models.layers.draw import InitScheme


class Scaled(Frozen):
    """Options of networks whose every layer can be made wider or narrower at once."""

    width: float = Field(default=1.0, strict=True, gt=0, le=8, description="factor on every layer's channels")


AS_PAPERS = InitScheme()


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
    init: InitScheme = AS_PAPERS
    """How fresh weights are drawn."""
    recipe: Callable[[Any], Mapping[str, Any]] = lambda _options: {}
    """Options -> what of a data set's recipe does not suit the network, by the names of a recipe's fields: networks
    without norms diverge at the learning rates of those that have them."""
    output: str | int | None = None
    """Which of several outputs is trained on: its key, or its place. None: the network gives one tensor."""
    branch_end: str = ""
    """The layer of a residual block whose output is added to the shortcut, where the options `blocks` and `bare` leave
    out whole blocks."""
    mean: tuple[float, ...] = ()
    """What is taken from each channel of the pixels, in [0, 1]. Empty: what the data set says, as nearly always."""
    std: tuple[float, ...] = ()
    """What each is divided by then."""
