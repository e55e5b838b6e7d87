"""Layers without tensors: activations, dropout, pooling, padding, flattening."""

from __future__ import annotations

from torch import nn

from espalier.models.channels.rules import channelwise, elementwise, flatten
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


AVERAGE_POOL = Layer(nn.AvgPool2d, channelwise, source=_average)
UPSAMPLINGS = tuple(
    Layer(kind, channelwise, source=_upsampling)
    for kind in (nn.Upsample, nn.UpsamplingBilinear2d, nn.UpsamplingNearest2d)
)
HARDSWISH = Layer(nn.Hardswish, elementwise, source=_hardswish)
FLATTEN = Layer(nn.Flatten, flatten)
POOLS = tuple(
    Layer(kind, channelwise)
    for kind in (
        nn.MaxPool2d, nn.LPPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.ZeroPad2d, nn.ConstantPad2d,
        nn.CircularPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d,
    )
)  # fmt: skip
ACTIVATIONS = tuple(
    Layer(kind, elementwise)
    for kind in (
        nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid,
        nn.LogSigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardshrink, nn.Tanhshrink, nn.Threshold,
        nn.Hardsigmoid, nn.Hardtanh, nn.Identity, nn.Dropout, nn.Dropout2d, nn.AlphaDropout,
    )
)  # fmt: skip
