"""Normalisations: of each channel by itself, of weights, and those whose statistics are over channels."""

from __future__ import annotations

from espalier.models.channels.counts import plain
from espalier.models.channels.value import Value
from espalier.models.tracing.call import Call


def by_channel(call: Call) -> Value:
    """Scale, shift and statistics of each channel, over all images (Ioffe & Szegedy 2015) or of each by itself (Ulyanov
    et al. 2016)."""
    mean, variance = call.argument(1, "running_mean"), call.argument(2, "running_var")
    weight, bias = call.argument(3, "weight"), call.argument(4, "bias")
    tensor, value = call.first
    for axis in (*value.axes[:1], *value.axes[2:]):  # of weights that are standardised
        call.without(axis, "normalises over channels")
    labels = call.known(value, 1, tensor.shape[1])
    call.tie(weight, 0, labels, "scale")
    call.tie(bias, 0, labels, "shift")
    call.tie(mean, 0, labels, "statistic")
    call.tie(variance, 0, labels, "statistic")
    axes = (value.axes[0], labels, *value.axes[2:])
    name = "" if weight is None else call.run.graph.name(weight)
    scaled = call.is_zero(weight, 0) if weight is not None else value.zero and call.is_zero(mean, 0)
    zero = scaled and call.is_zero(bias, 0)
    return Value(axes, value.reason, zero, value.source, name)


def over_the_last(call: Call) -> Value:
    """Layer norm, over the last dimensions: one cut channel among them would change all the others (Ba et al. 2016)."""
    tensor, value = call.first
    count = len(call.argument(1, "normalized_shape"))
    over = range(tensor.dim() - count, tensor.dim())
    weights = [call.argument(2, "weight"), call.argument(3, "bias") if call.name == "layer_norm" else None]
    for dim in over:
        if (axis := value.axes[dim]) is not None:
            call.run.keep(axis, "normalises over channels")
        for weight in weights:
            if weight is not None:
                place = dim - tensor.dim() + count
                call.tie(
                    weight,
                    place,
                    call.known(value, dim, tensor.shape[dim]),
                    "scale" if weight is weights[0] else "shift",
                )
    return Value(value.axes, value.reason)


def group_norm(call: Call) -> Value:
    """Over groups of channels: one that is cut would change all the others of its group (Wu & He 2018)."""
    tensor, value = call.first
    labels = call.along(tensor, 1)
    call.run.keep(labels, "normalises over channels")
    call.tie(call.argument(2, "weight"), 0, labels, "scale")
    call.tie(call.argument(3, "bias"), 0, labels, "shift")
    return Value(value.axes, value.reason)


def normalize(call: Call) -> Value:
    """By the length of a vector, to which channels that are zero add nothing."""
    value = call.first[1]
    order, dim = call.argument(1, "p", 2.0), call.argument(2, "dim", 1)
    for one in [dim] if isinstance(dim, int) else dim:
        if not (value.zero and order > 0):
            call.without(value.axes[one], "normalises over channels")
    return value._replace(scale="")


def weight_norm(call: Call) -> Value:
    """A direction and a length for each output (Salimans & Kingma 2016)."""
    direction, length, dim = call.args[0], call.args[1], plain(call.argument(2, "dim", 0))
    value = call.run.value(direction)
    for place, size in enumerate(length.shape):
        if size > 1 and (axis := value.axes[place]) is not None:
            call.tie(length, place, axis, "scale")
    if (name := call.run.graph.name(direction)) and dim >= 0:
        call.run.graph.direct(name, dim)
    return value


def prelu(call: Call) -> Value:
    """A slope for each channel, or one for all (He et al. 2015)."""
    tensor, value = call.first
    weight = call.argument(1, "weight")
    if weight.numel() > 1:
        labels = call.along(tensor, 1)
        call.tie(weight, 0, labels, "other")
        return value._replace(axes=(None, labels, *[None] * (tensor.dim() - 2)), scale="", source="")
    return value._replace(scale="", source="")
