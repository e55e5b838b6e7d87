"""Kinds of layers. A new one is one file with a `Layer` record, and one line in `LAYERS`."""

from __future__ import annotations

from torch import nn

from espalier.models.layers.attention import ATTENTION
from espalier.models.layers.base import Layer
from espalier.models.layers.batch_norm import BATCH_NORMS, INSTANCE_NORMS
from espalier.models.layers.convolution import CONVOLUTIONS
from espalier.models.layers.linear import LINEAR
from espalier.models.layers.mixing_norm import GROUP_NORM, LAYER_NORM
from espalier.models.layers.plain import AVERAGE_POOL, HARDSWISH, UPSAMPLINGS
from espalier.models.layers.prelu import PRELU

_RECORDS = (
    *CONVOLUTIONS,
    LINEAR,
    *BATCH_NORMS,
    *INSTANCE_NORMS,
    LAYER_NORM,
    GROUP_NORM,
    PRELU,
    ATTENTION,
    AVERAGE_POOL,
    HARDSWISH,
    *UPSAMPLINGS,
)

LAYERS: dict[type[nn.Module], Layer] = {record.kind: record for record in _RECORDS}


_NEAREST: dict[type[nn.Module], Layer | None] = {}


def layer_of(module: nn.Module) -> Layer | None:
    """What is known of a module's kind, or of the nearest kind that it is made from."""
    kind = type(module)
    if kind not in _NEAREST:
        _NEAREST[kind] = next((LAYERS[one] for one in kind.__mro__ if one in LAYERS), None)
    return _NEAREST[kind]


def follow_tensors(module: nn.Module) -> None:
    """Tell a layer how many channels its tensors have, so that it runs and prints as what it is."""
    if not module._parameters:  # most modules: nothing to tell, and asking what they are takes its time
        return
    layer = layer_of(module)
    if layer is not None and layer.resize is not None:
        layer.resize(module)


__all__ = ["LAYERS", "Layer", "follow_tensors", "layer_of"]
