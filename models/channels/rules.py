"""Rules that layers and functions share."""

from __future__ import annotations

import math

from torch import nn

from espalier.models.channels.call import Call
from espalier.models.channels.labels import Channels, NotUnderstood


def elementwise(call: Call) -> Channels:
    """One tensor in, each element by itself."""
    if len(call.inputs) != 1:
        raise NotUnderstood(f"{call.name} takes more than one tensor")
    return call.first[1]


def channelwise(call: Call) -> Channels:
    """Anything that works on the images of each channel by itself, such as pooling."""
    value = call.first[0]
    if value.dim() != 4:
        raise NotUnderstood(f"{call.name} pools an input without batch")
    return Channels(1, call.labels(1))


def across_channels(call: Call) -> Channels:
    """Layer and group norm: their statistics are over channels, so that one cut would change all the others."""
    for _, channels in call.inputs:  # weight and bias are among them, where it is a function
        call.graph.labels.keep(channels.labels, f"{call.name} normalises over channels")
    return call.first[1]


def flatten(call: Call) -> Channels:
    """Dimensions apart from the channels, or channels with those behind them: each becomes a block."""
    value, channels = call.first
    if isinstance(call.module, nn.Flatten):
        start, end = call.module.start_dim, call.module.end_dim
    else:
        start, end = call.argument(1, "start_dim", 0), call.argument(2, "end_dim", -1)
    start, end = start % value.dim(), end % value.dim()
    dim = 1 if channels.dim is None else channels.dim
    if start == 0 or start < dim <= end:
        raise NotUnderstood(f"{call.name} flattens what lies before the channels into them")
    if start == dim:
        return columns(call, start, end)
    return Channels(None if channels.dim is None else dim - (end - start) * (end < dim), channels.labels)


def columns(call: Call, dim: int, end: int) -> Channels:
    """Channels flattened with the dimensions behind them, up to `end`: each becomes a block of columns."""
    repeat = math.prod(call.first[0].shape[dim + 1 : end + 1])
    return Channels(dim, [label for label in call.labels(dim) for _ in range(repeat)])
