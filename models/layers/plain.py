"""Layers without tensors whose source is not what they print."""

from __future__ import annotations

from torch import nn

from espalier.models.layers.base import Layer


def _average(layer: nn.AvgPool2d) -> str:
    """It does not print all of its arguments."""
    rest = f"{layer.ceil_mode}, {layer.count_include_pad}, {layer.divisor_override}"
    return f"AvgPool2d({layer.kernel_size}, {layer.stride}, {layer.padding}, {rest})"


def _upsampling(layer: nn.Upsample) -> str:
    """Those of one mode print it, and do not take it."""
    if type(layer) is not nn.Upsample:
        return f"{type(layer).__name__}({layer.size}, {layer.scale_factor})"
    rest = f"{layer.mode!r}, {layer.align_corners}, {layer.recompute_scale_factor}"
    return f"Upsample({layer.size}, {layer.scale_factor}, {rest})"


def _hardswish(layer: nn.Hardswish) -> str:
    """It does not say whether it works in place."""
    return f"Hardswish(inplace={layer.inplace})"


AVERAGE_POOL = Layer(nn.AvgPool2d, source=_average)
UPSAMPLINGS = tuple(
    Layer(kind, source=_upsampling) for kind in (nn.Upsample, nn.UpsamplingBilinear2d, nn.UpsamplingNearest2d)
)
HARDSWISH = Layer(nn.Hardswish, source=_hardswish)
