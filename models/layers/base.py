"""What is known of one kind of layer, in one record."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from espalier.models.layers.draw import InitScheme

Draw = Callable[[Any, torch.Generator, InitScheme], None]
Randomise = Callable[[Any, torch.Generator], None]


def printed(layer: nn.Module) -> str:
    """A layer as Python, from what it prints; the export's own check sees whether that says all of it.

    A layer of a kind made from torch's (torchvision's `LayerNorm2d`) is not called itself, and stands as torch's.
    """
    kind = next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("torch.nn.modules"))
    words = re.sub(r"(padding(?:_mode)?)=([a-z]+)", r"\1='\2'", layer.extra_repr())
    return f"{kind.__name__}({words})"


class Layer(NamedTuple):
    """One kind of layer: how it is drawn, resized, and written as source. How it is traced, its own code says."""

    kind: type[nn.Module]
    drawn: tuple[str, ...] = ()
    """Tensors that `draw` fills. Every other tensor has the values that the layer's constructor gives it."""
    draw: Draw | None = None
    """Fill the drawn tensors with fresh values. An exported file has its source, so it may use `layers.draw` alone."""
    resize: Callable[[Any], None] | None = None
    """Set the attributes that follow from the tensors' shapes, so that a cut layer runs and prints as what it is. While
    a network is traced, these are counts: a number that is computed from a shape is followed. Through `vars`, since a
    module's own way of setting anything takes longer than all the rest."""
    randomise: Randomise | None = None
    """Move its tensors away from their initial values, since most errors hide behind those."""
    source: Callable[[Any], str] = printed
    """The call of `torch.nn` that makes such a layer."""


def random_normal(tensor: Tensor | None, deviation: float, generator: torch.Generator) -> None:
    """Fill, if there is something to fill."""
    if tensor is not None:
        tensor.normal_(0, deviation, generator=generator)


def random_uniform(tensor: Tensor | None, generator: torch.Generator) -> None:
    """Fill with positive numbers around 1, if there is something to fill."""
    if tensor is not None:
        tensor.uniform_(0.5, 1.5, generator=generator)
