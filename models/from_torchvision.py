"""torchvision's classifiers as architectures."""

from __future__ import annotations

import functools
import inspect
from typing import Any, cast, get_type_hints

import torchvision
from torch import nn

from espalier.models.config import Shape
from espalier.models.document import NoOptions
from espalier.models.entry import AS_PAPERS, Architecture
from espalier.models.errors import ArchitectureError
from espalier.models.layers.draw import InitScheme

PREFIX = "torchvision/"
LAYER_NORMED = ("convnext", "maxvit", "swin", "vit")
"""Families whose papers draw linear layers wider."""


def names() -> list[str]:
    """Its classifiers, without the prefix."""
    found: list[str] = torchvision.models.list_models(torchvision.models)
    return found


@functools.cache
def entry(name: str) -> Architecture:
    """The entry of a classifier."""
    builder = torchvision.models.get_model_builder(name)
    trained = next(iter(cast(Any, torchvision.models.get_model_weights(name))))
    size = trained.transforms().crop_size[0]
    # Auxiliary heads are thrown away after training, so the networks come without; and we draw weights ourselves.
    known = inspect.signature(get_type_hints(builder)["return"]).parameters
    fixed: dict[str, Any] = {option: False for option in ("aux_logits", "init_weights") if option in known}

    def make(_options: NoOptions, classes: int, shape: Shape) -> nn.Module:
        if shape[0] != 3:
            raise ArchitectureError(f"{PREFIX}{name} takes images of 3 channels, got {shape[0]}")
        sized = {"image_size": shape[1]} if "image_size" in known else {}
        return cast(nn.Module, builder(weights=None, num_classes=classes, **fixed, **sized))

    return Architecture(
        PREFIX + name,
        f"torchvision's {name}",
        make,
        options=NoOptions,
        classes=1000,
        shape=(3, size, size),
        init=InitScheme(linear=0.02) if name.startswith(LAYER_NORMED) else AS_PAPERS,
    )
