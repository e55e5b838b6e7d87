"""Layers without tensors: activations, dropout, pooling, padding, flattening."""

from __future__ import annotations

from torch import nn

from espalier.models.channels.rules import channelwise, elementwise, flatten
from espalier.models.layers.base import Layer


def _average(layer: nn.AvgPool2d) -> str:
    """It does not print all of its arguments."""
    rest = f"{layer.ceil_mode}, {layer.count_include_pad}, {layer.divisor_override}"
    return f"AvgPool2d({layer.kernel_size}, {layer.stride}, {layer.padding}, {rest})"


AVERAGE_POOL = Layer(nn.AvgPool2d, channelwise, source=_average)
FLATTEN = Layer(nn.Flatten, flatten)
POOLS = tuple(
    Layer(kind, channelwise)
    for kind in (
        nn.MaxPool2d, nn.LPPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Upsample, nn.UpsamplingBilinear2d,
        nn.UpsamplingNearest2d, nn.ZeroPad2d, nn.ConstantPad2d, nn.CircularPad2d, nn.ReflectionPad2d,
        nn.ReplicationPad2d,
    )
)  # fmt: skip
ACTIVATIONS = tuple(
    Layer(kind, elementwise)
    for kind in (
        nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid,
        nn.LogSigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardshrink, nn.Tanhshrink, nn.Threshold,
        nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Identity, nn.Dropout, nn.Dropout2d, nn.AlphaDropout,
    )
)  # fmt: skip
