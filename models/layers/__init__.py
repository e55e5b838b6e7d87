"""Kinds of layers. A new one is one file with a `Layer` record, and one line in `LAYERS`."""

from __future__ import annotations

from torch import nn

from espalier.models.layers.attention import ATTENTION
from espalier.models.layers.base import Layer
from espalier.models.layers.batch_norm import BATCH_NORM_1D, BATCH_NORM_2D, INSTANCE_NORM
from espalier.models.layers.convolution import CONVOLUTION
from espalier.models.layers.linear import LINEAR
from espalier.models.layers.mixing_norm import GROUP_NORM, LAYER_NORM
from espalier.models.layers.plain import ACTIVATIONS, AVERAGE_POOL, FLATTEN, HARDSWISH, POOLS, UPSAMPLINGS
from espalier.models.layers.prelu import PRELU

_RECORDS = (
    CONVOLUTION,
    LINEAR,
    BATCH_NORM_1D,
    BATCH_NORM_2D,
    INSTANCE_NORM,
    LAYER_NORM,
    GROUP_NORM,
    PRELU,
    ATTENTION,
    AVERAGE_POOL,
    FLATTEN,
    HARDSWISH,
    *UPSAMPLINGS,
    *POOLS,
    *ACTIVATIONS,
)

LAYERS: dict[type[nn.Module], Layer] = {record.kind: record for record in _RECORDS}


_NEAREST: dict[type[nn.Module], Layer | None] = {}


def layer_of(module: nn.Module) -> Layer | None:
    """What is known of a module's kind, or of the nearest kind that it is made from."""
    kind = type(module)
    if kind not in _NEAREST:
        _NEAREST[kind] = next((LAYERS[one] for one in kind.__mro__ if one in LAYERS), None)
    return _NEAREST[kind]


__all__ = ["LAYERS", "Layer", "layer_of"]
