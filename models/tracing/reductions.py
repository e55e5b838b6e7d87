"""Functions that make one number of several: over everything but channels, or where those that are cut add nothing."""

from __future__ import annotations

from torch import Tensor

from espalier.models.channels.labels import NotUnderstood
from espalier.models.channels.value import Value
from espalier.models.tracing.call import Call
from espalier.models.tracing.joins import combine


def total(call: Call) -> Value:
    """Sums and norms. Over channels, too, where those that are cut are zero."""
    if call.name == "sum":
        return _reduced(call, call.argument(1, "dim"), call.argument(2, "keepdim", False), adds_nothing=True)
    order = call.argument(1, "p" if call.name == "norm" else "ord", 2)
    counts = order == "fro" or (isinstance(order, (int, float)) and order > 0)
    return _reduced(call, call.argument(2, "dim"), call.argument(3, "keepdim", False), adds_nothing=counts)


def reduce(call: Call) -> Value | list[Value]:
    """Means and the like, over dimensions without channels."""
    dims = call.argument(1, "dim")
    if isinstance(dims, Tensor):  # the larger of two tensors
        return combine(call)
    if isinstance(dims, bool):  # whether a variance is that of a sample
        dims = None
    keep = call.kwargs.get("keepdim", call.kwargs.get("keepdims", call.argument(2, "keepdim", False)))
    if call.name in ("var", "std", "var_mean", "std_mean"):
        first = call.output[0] if isinstance(call.output, tuple) else call.output
        keep = first.dim() == call.tensor.dim()
    found = _reduced(call, dims, keep, adds_nothing=False)
    found = found._replace(zero=found.zero and call.name in ("mean", "amax", "amin", "max", "min", "var", "std"))
    return [found] * len(call.output) if isinstance(call.output, tuple) else found


def _reduced(call: Call, dims: object, keep: bool, adds_nothing: bool) -> Value:
    tensor, value = call.first
    over = {*range(tensor.dim())} if dims is None or dims == () else {
        dim % tensor.dim() for dim in ([dims] if isinstance(dims, int) else dims)  # type: ignore[attr-defined]
    }  # fmt: skip
    for dim in over if not (adds_nothing and value.zero) else ():
        call.without(value.axes[dim], "reduces over channels")
    axes = [None if dim in over else axis for dim, axis in enumerate(value.axes) if keep or dim not in over]
    return Value(tuple(axes), value.reason, value.zero and any(axis is not None for axis in axes))


def within(call: Call) -> Value | list[Value]:
    """What works along one dimension, without channels, and gives as much, or places of it."""
    value = call.first[1]
    names = {"flip": "dims", "roll": "dims"}
    sorts = call.name in ("sort", "topk")
    dims = call.argument(2 if call.name in ("roll", "topk") else 1, names.get(call.name, "dim"), -1 if sorts else None)
    if call.name == "flip" and len(call.args) > 2:
        dims = call.args[1:]
    if dims is None:
        raise NotUnderstood("does not say along which dimension it works")
    axes = [*value.axes]
    for dim in [dims] if isinstance(dims, int) else dims:
        call.without(axes[dim], "works along the channels")
        axes[dim] = None
    stays = sorts or call.name in ("flip", "roll", "cumsum")
    found = value.remade(axes)._replace(zero=value.zero and stays)
    return [found, found._replace(zero=False)] if sorts else found
