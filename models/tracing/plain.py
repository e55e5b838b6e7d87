"""Functions that work on each channel by itself, wherever it lies."""

from __future__ import annotations

from torch import Tensor

from espalier.models.channels.labels import NotUnderstood
from espalier.models.channels.value import Value
from espalier.models.tracing.call import Call, Rule


def keeping_zero(call: Call) -> Value:
    """Each element by itself; what is zero stays zero."""
    value = _alone(call)
    return value if not value.scale else value._replace(scale="")


def elementwise(call: Call) -> Value:
    """Each element by itself."""
    return _alone(call)._replace(zero=False, scale="")


def of_positive(call: Call) -> Value:
    """Each element by itself, where none may be zero: logarithms, reciprocals."""
    value = _alone(call)
    if value.zero and value.has_channels:
        raise NotUnderstood("takes what is zero where a channel is cut")
    return value._replace(zero=False, scale="")


def as_the_first(call: Call) -> Value:
    """The first tensor as another kind of number, which may be that of another tensor."""
    return call.first[1]._replace(scale="")


def constant(call: Call) -> Value:
    """What the code says, whatever the tensor that it asks."""
    return Value((None,) * call.output.dim())


def zeros_like(call: Call) -> Value:
    """As many zeros."""
    return _alone(call)._replace(zero=True, scale="", source="")


def _alone(call: Call) -> Value:
    others = [*call.args[1:], *(part for name, part in call.kwargs.items() if name != "input")]
    if any(isinstance(part, Tensor) and part.numel() > 1 for part in others):
        raise NotUnderstood("takes more than one tensor")
    return call.first[1]


def over_last(count: int) -> Rule:
    """The rule for what works on the last dimensions of each channel, such as pooling."""

    def pool(call: Call) -> Value | list[Value]:
        value = call.first[1]
        for axis in value.axes[-count:]:
            call.without(axis, "works along the channels")
        found = value.remade((*value.axes[:-count], *[None] * count))
        return [found] * len(call.output) if isinstance(call.output, tuple) else found

    pool.__doc__ = f"Each channel by itself, over the last {count} dimensions."
    return pool


def images(call: Call) -> Value:
    """Each channel by itself, over all dimensions behind the second."""
    value = call.first[1]
    for axis in value.axes[2:]:
        call.without(axis, "works along the channels")
    for grid in (
        part for part in (*call.args[1:], *call.kwargs.values()) if isinstance(part, Tensor) and part is not call.tensor
    ):
        call.run.keep(call.run.value(grid).labels, "says where to look")
    return value.remade((*value.axes[:2], *[None] * len(value.axes[2:])))


def filled(zero: bool) -> Rule:
    """The rule for tensors that the code makes: as many channels as a number says."""

    def fill(call: Call) -> Value:
        given = isinstance(call.args[0], Tensor) if call.args else False
        numbers = call.numbers(1 if given else 0, "size")
        if call.name in ("full", "new_full"):
            numbers = [*numbers[0]] if isinstance(numbers[0], (tuple, list)) else numbers
        axes = [call.counted(number) for number in numbers]
        return Value(tuple(axes), zero=zero)

    fill.__doc__ = "As many as the numbers say, all alike."
    return fill
