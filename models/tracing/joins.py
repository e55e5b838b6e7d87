"""Functions of several tensors: which channels meet."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from espalier.models.channels.labels import NotUnderstood
from espalier.models.channels.value import Axis, Value
from espalier.models.tracing.call import Call


def combine(call: Call) -> Value:
    """Each element with those in its place: channels that meet are coupled. A sum is zero where all its terms are."""
    operands = _operands(call)
    found = join(call, operands)
    sums = call.name in ("add", "iadd", "radd", "sub", "isub", "rsub", "subtract", "maximum", "minimum")
    terms = len(operands) == 2 and all(_zero(found, [one]) for one in operands)
    return found._replace(zero=sums and terms)


def multiply(call: Call) -> Value:
    """Products: zero where one of the factors is."""
    operands = _operands(call)
    found = join(call, operands)
    return found._replace(zero=_zero(found, operands))


def _zero(found: Value, operands: Sequence[tuple[Tensor, Value]]) -> bool:
    """Whether, wherever a channel of what was found is cut, one of the operands is zero."""
    rank = len(found.axes)
    return all(
        any(value.zero and dim >= rank - len(value.axes) and value.axes[dim - rank + len(value.axes)] is not None
            for _, value in operands)
        for dim, axis in enumerate(found.axes)
        if axis is not None
    )  # fmt: skip


def divide(call: Call) -> Value:
    """Quotients; below the line there must be no channels that would be zero."""
    divided, divisor = call.argument(0, "input"), call.argument(1, "other")
    if not isinstance(divided, Tensor):
        return divided_by(call, divisor)
    if isinstance(divisor, Tensor):
        _check_divisor(call, divisor)
    found = join(call, _operands(call))
    return found._replace(zero=_zero(found, _pairs(call, [divided])))


def divided(call: Call) -> Value:
    """A number over a tensor."""
    return divided_by(call, call.tensor)


def divided_by(call: Call, divisor: Tensor) -> Value:
    """A number over a tensor, in which no channel may be zero."""
    _check_divisor(call, divisor)
    return call.run.value(divisor)._replace(zero=False, scale="")


def _check_divisor(call: Call, divisor: Tensor) -> None:
    value = call.run.value(divisor)
    if value.zero and value.has_channels:
        raise NotUnderstood("divides by a tensor that is zero where a channel is cut")


def power(call: Call) -> Value:
    """Powers of a tensor by a number above 0 leave zeros."""
    base, exponent = call.argument(0, "input"), call.argument(1, "exponent")
    if isinstance(base, Tensor) and isinstance(exponent, (int, float)):
        value = call.run.value(base)
        if exponent < 0:
            _check_divisor(call, base)
        return value._replace(zero=value.zero and exponent > 0, scale="")
    return join(call, _operands(call))


def where(call: Call) -> Value:
    """One or the other: zero where both are."""
    condition, *both = (*call.args, *call.kwargs.values())
    if not both:
        raise NotUnderstood("says where something is")
    found = join(call, _pairs(call, [condition, *both]))
    zero = all(_zero(found, _pairs(call, [one])) if isinstance(one, Tensor) else one == 0 for one in both)
    return found._replace(zero=zero)


def masked_fill(call: Call) -> Value:
    """A number in some places."""
    value, mask, number = call.argument(0, "input"), call.argument(1, "mask"), call.argument(2, "value")
    found = join(call, _pairs(call, [value, mask, number]))
    is_nothing = isinstance(number, (int, float)) and number == 0
    return found._replace(zero=is_nothing and _zero(found, _pairs(call, [value])))


def expand_as(call: Call) -> Value:
    """The same for every place of the other."""
    found = join(call, _pairs(call, [call.tensor, call.argument(1, "other")]))
    return found._replace(zero=_zero(found, [call.first]))


def broadcast(call: Call) -> list[Value]:
    """Each of several as large as all of them together."""
    given = call.args[0] if isinstance(call.args[0], (tuple, list)) else call.args
    pairs = _pairs(call, given)
    found = join(call, pairs)._replace(source="")
    return [found._replace(zero=_zero(found, [pair])) for pair in pairs]


def join(call: Call, operands: Sequence[tuple[Tensor, Value]]) -> Value:
    """Broadcasting: shapes are aligned at their ends, and channels that meet in one place are coupled."""
    rank = max(tensor.dim() for tensor, _ in operands)
    aligned = [(rank - tensor.dim(), tensor.shape, value) for tensor, value in operands]
    axes = tuple(_together(call, aligned, dim) for dim in range(rank))
    sized = [value for tensor, value in operands if tensor.numel() > 1] or [value for _, value in operands]
    reason = next((value.reason for value in sized if value.reason), "")
    whole = [value.source for tensor, value in operands if value.source and tensor.numel() == _numel(operands)]
    return Value(axes, reason, source=whole[0] if whole else "")


def _numel(operands: Sequence[tuple[Tensor, Value]]) -> int:
    return max(tensor.numel() for tensor, _ in operands)


def _together(call: Call, aligned: Sequence[tuple[int, Sequence[int], Value]], dim: int) -> Axis:
    found: list[int] | None = None
    here = [
        (value.axes[dim - shift], value) for shift, shape, value in aligned if dim >= shift and shape[dim - shift] > 1
    ]
    for axis, _ in here:
        if axis is not None and found is None:
            found = axis
        elif axis is not None and found is not None and axis is not found:
            call.labels.merge(found, axis)
    plain = [value for axis, value in here if axis is None]
    for value in plain if found is not None else ():
        call.stay(found or [], value)
    return None if plain else found


def _operands(call: Call) -> list[tuple[Tensor, Value]]:
    return _pairs(call, [*call.args, *(part for name, part in call.kwargs.items() if name not in ("out", "alpha"))])


def _pairs(call: Call, parts: Sequence[object]) -> list[tuple[Tensor, Value]]:
    return [(part, call.run.value(part)) for part in parts if isinstance(part, Tensor)]


# --- several in a row ----------------------------------------------------------------------------------------------


def concatenate(call: Call) -> Value:
    """Labels one behind the other, where tensors are joined along their channels."""
    listed = [one for one in call.argument(0, "tensors") if one.numel()]
    dim = (1 if call.name == "hstack" else call.argument(1, "dim", 0)) % call.output.dim()
    values = [call.run.value(one) for one in listed]
    axes = list(_beside(call, listed, values, skip=dim))
    if any(value.axes[dim] is not None for value in values):
        axes[dim] = [
            label for one, value in zip(listed, values, strict=True) for label in call.known(value, dim, one.shape[dim])
        ]
    reason = next((value.reason for value in values if value.reason), "")
    return Value(tuple(axes), reason, zero=all(value.zero for value in values if value.has_channels))


def stack(call: Call) -> Value:
    """One more dimension, along which tensors of one shape lie."""
    listed = call.argument(0, "tensors")
    dim = call.argument(1, "dim", 0) % call.output.dim()
    values = [call.run.value(one) for one in listed]
    axes = list(_beside(call, listed, values))
    reason = next((value.reason for value in values if value.reason), "")
    axes.insert(dim, None)
    return Value(tuple(axes), reason, zero=all(value.zero for value in values if value.has_channels))


def _beside(call: Call, listed: Sequence[Tensor], values: Sequence[Value], skip: int = -1) -> list[Axis]:
    """The dimensions of tensors that lie beside each other: what is in the same place is coupled."""
    aligned = [(0, one.shape, value) for one, value in zip(listed, values, strict=True)]
    return [None if dim == skip else _together(call, aligned, dim) for dim in range(listed[0].dim())]
