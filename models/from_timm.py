"""timm's networks as architectures, where it is installed: `pip install 'espalier-nas[timm]'`."""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

from torch import nn

from espalier.models.config import Shape
from espalier.models.document import NoOptions
from espalier.models.entry import AS_PAPERS, Architecture
from espalier.models.layers.draw import InitScheme

PREFIX = "timm/"
CLASSES = 1000
"""Of networks that timm has without a classifier."""


@functools.cache
def names() -> list[str]:
    """Its networks, without the prefix; none where it is not installed."""
    if importlib.util.find_spec("timm") is None:
        return []
    import timm

    found: list[str] = timm.list_models()
    return found


@functools.cache
def entry(name: str) -> Architecture:
    """The entry of a network, for images of the size, the mean and the deviation that timm made it for."""
    import timm

    own = timm.get_pretrained_cfg(name) or timm.models.PretrainedCfg()
    fixed = own.fixed_input_size

    def make(_options: NoOptions, classes: int, shape: Shape) -> nn.Module:
        sized: dict[str, Any] = {"img_size": shape[1:]} if fixed else {}
        return timm.create_model(name, num_classes=classes, in_chans=shape[0], **sized)

    return Architecture(
        PREFIX + name,
        f"timm's {name}",
        make,
        options=NoOptions,
        classes=own.num_classes or CLASSES,
        shape=tuple(own.input_size),
        init=InitScheme(linear=0.02) if fixed else AS_PAPERS,
        mean=tuple(own.mean),
        std=tuple(own.std),
    )
