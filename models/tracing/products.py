"""Products with weights, whose multiply-adds are counted: convolutions, linear layers, matrices."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from espalier.models.channels.counts import Count, fixed, plain
from espalier.models.channels.graph import BATCH
from espalier.models.channels.labels import NotUnderstood
from espalier.models.channels.value import Value
from espalier.models.config import Role
from espalier.models.tracing.call import Call
from espalier.models.tracing.joins import join


def convolution(call: Call) -> Value:
    """New channels out. Depthwise ones are their inputs'; in groups, the same places of every group are coupled."""
    tensor, value = call.first
    weight, bias, groups = call.argument(1, "weight"), call.argument(2, "bias"), call.argument(6, "groups", 1)
    dim = tensor.dim() - weight.dim() + 1  # 0 for an image without batch
    if plain(groups) != tensor.shape[dim]:
        groups = fixed(groups)
    labels = call.along(tensor, dim)
    _count(call, weight, call.output.numel() // len(weight))
    _keep_kernel(call, weight)
    if isinstance(groups, Count):
        call.tie(weight, 1, call.known(Value((None,)), 0, weight.shape[1]), "in")
        of_group, out = _of_groups(call, labels, groups, len(weight) // plain(groups))
        call.tie(weight, 0, out, "out")
        _check_groups(call, groups, of_group)
    else:  # the same places of every group are cut, so that they stay equal in size
        call.tie(weight, 1, call.labels.blocks(labels, groups), "in")
        out = call.axis(weight, 0, "out")
        if groups > 1:
            call.labels.blocks(out, groups)
    call.tie(bias, 0, out, "shift")
    return Value(_at(call.output, dim, out), value.reason, _is_zero(call, weight, 0, bias))


def transposed(call: Call) -> Value:
    """The same the other way round: the weight is [in, out in each group, …]."""
    tensor, value = call.first
    weight, bias, groups = call.argument(1, "weight"), call.argument(2, "bias"), call.argument(6, "groups", 1)
    dim = tensor.dim() - weight.dim() + 1
    if plain(groups) != tensor.shape[dim]:
        groups = fixed(groups)
    labels = call.along(tensor, dim)
    _count(call, weight, tensor.numel() // len(weight))
    _keep_kernel(call, weight)
    call.tie(weight, 0, labels, "in")
    if isinstance(groups, Count):
        of_group, out = _of_groups(call, labels, groups, weight.shape[1])
        _check_groups(call, groups, of_group)
        zero = _is_zero(call, weight, 0, bias)
    else:
        call.labels.blocks(labels, groups)
        out, zero = call.axis(weight, 1, "out"), _is_zero(call, weight, 1, bias)
        out = out if groups == 1 else out * groups
    call.tie(bias, 0, out, "shift")
    return Value(_at(call.output, dim, out), value.reason, zero)


def _keep_kernel(call: Call, weight: Tensor) -> None:
    """What lies between the places of a kernel is no matter of channels."""
    if name := call.run.graph.name(weight):
        call.run.graph.kernels.add(name)
    else:
        for axis in call.run.value(weight).axes[2:]:
            call.without(axis, "slides over images")


def _of_groups(call: Call, labels: list[int], groups: Count, width: int) -> tuple[list[int], list[int]]:
    """The groups of a convolution that has as many as there are channels, or as equal parts of them, and what they
    give: whole groups are cut."""
    size = len(labels) // plain(groups)
    of_group = labels if size == 1 else labels[::size]
    if size > 1:
        call.labels.merge(labels, [label for label in of_group for _ in range(size)])
    return of_group, of_group if width == 1 else [label for label in of_group for _ in range(width)]


def _check_groups(call: Call, groups: Count, of_group: list[int]) -> None:
    if not call.says(groups, of_group):
        raise NotUnderstood("works in a number of groups that would not fit a cut network")


def linear(call: Call) -> Value:
    """New features out, along the last dimension."""
    tensor, value = call.first
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    last = tensor.dim() - 1
    call.tie(weight, 1, call.along(tensor, last), "in")
    _count(call, weight, call.output.numel() // len(weight))
    out = call.axis(weight, 0, "out")
    call.tie(bias, 0, out, "shift")
    return Value(_at(call.output, last, out), value.reason, _is_zero(call, weight, 0, bias))


def matmul(call: Call) -> Value:
    """Products with a matrix of the network's own, on either side."""
    one, other = call.tensor, call.argument(1, "other", call.argument(1, "mat2", call.argument(1, "vec")))
    left, right = call.run.value(one), call.run.value(other)
    if one.numel() % BATCH and other.numel() % BATCH:  # nothing of any image is in them
        return _of_weights(call, one, other, left, right)
    if right.source and other.dim() == 2 and one.dim() > 1:
        call.tie(other, 0, call.along(one, one.dim() - 1), "in")
        _count(call, other, call.output.numel() // other.shape[1])
        out = call.axis(other, 1, "out")
        return Value(_at(call.output, call.output.dim() - 1, out), left.reason, _is_zero(call, other, 1))
    if left.source and one.dim() == 2 and other.dim() > 1:
        call.tie(one, 1, call.along(other, other.dim() - 2), "in")
        _count(call, one, call.output.numel() // len(one))
        out = call.axis(one, 0, "out")
        return Value(_at(call.output, call.output.dim() - 2, out), right.reason, _is_zero(call, one, 0))
    if left.has_channels or right.has_channels:
        raise NotUnderstood("multiplies activations with each other")
    call.run.multiplies()
    return Value((None,) * call.output.dim(), left.reason or right.reason)


def added_to_product(call: Call) -> Value:
    """A product with a matrix, and what is added to it."""
    added = call.tensor
    product = matmul(call._replace(args=call.args[1:]))
    found = join(call, [(call.output, product), (added, call.run.value(added))])
    return found._replace(zero=product.zero and call.is_zero(added, -1), source="")


def _of_weights(call: Call, one: Tensor, other: Tensor, left: Value, right: Value) -> Value:
    """What depends on weights alone: where they meet, what is cut is zero in both."""
    if one.dim() > 2 or other.dim() > 2:
        raise NotUnderstood("multiplies weights with each other")
    if one.dim() == other.dim() == 2:  # whose multiply-adds no width would change
        call.without(left.axes[-1], "multiplies weights with each other")
        call.without(right.axes[0], "multiplies weights with each other")
        return Value((left.axes[0], right.axes[1]), left.reason or right.reason, left.zero and right.zero)
    axis, theirs = left.axes[-1], right.axes[0]
    if axis is not None and theirs is not None:
        call.labels.merge(axis, theirs)
        if not (left.zero or right.zero):
            raise NotUnderstood("reduces over channels")
    elif axis is not None or theirs is not None:
        call.stay(axis or theirs or [], right if axis is not None else left)
    return Value((*left.axes[:-1], *right.axes[1:]), left.reason or right.reason, left.zero and right.zero)


def einsum(call: Call) -> Value:
    """Einstein's sums of an activation and a weight."""
    equation, operands = call.args[0], call.args[1:]
    operands = tuple(operands[0]) if len(operands) == 1 and isinstance(operands[0], (tuple, list)) else operands
    values = [call.run.value(one) for one in operands]
    terms, _, result = equation.replace(" ", "").partition("->")
    letters = terms.split(",")
    if not any(value.has_channels for value in values):
        call.run.multiplies()
        return Value((None,) * call.output.dim(), next((v.reason for v in values if v.reason), ""))
    if len(operands) != 2 or "." in equation or not result or sum(bool(value.source) for value in values) != 1:
        raise NotUnderstood("multiplies activations with each other")
    at = 1 if values[1].source else 0
    weight, x, own, theirs = operands[at], values[1 - at], letters[at], letters[1 - at]
    if len({*own}) != len(own) or not {*own} <= {*theirs, *result}:
        raise NotUnderstood("multiplies in a way that is not known")
    if any(axis is not None and letter not in own for letter, axis in zip(theirs, x.axes, strict=True)):
        raise NotUnderstood("works along a dimension that is not the channels")
    sizes = {
        letter: size
        for part, one in zip(letters, operands, strict=True)
        for letter, size in zip(part, one.shape, strict=True)
    }
    _count(call, weight, math.prod(sizes.values()) // weight.numel())
    found: dict[str, Any] = {}
    for dim, letter in enumerate(own):
        role: Role = "in" if letter in theirs else "out"
        if letter in theirs:
            labels = call.known(x, theirs.index(letter), sizes[letter])
            call.tie(weight, dim, labels, role)
            found[letter] = labels
        else:
            found[letter] = call.axis(weight, dim, role)
    return Value(tuple(found.get(letter) for letter in result), x.reason, values[at].zero)


def embedding(call: Call) -> Value:
    """Rows of a table."""
    indices, weight = call.argument(0, "input"), call.argument(1, "weight")
    call.run.keep(call.axis(weight, 0, "other"), "takes rows of a table by number")
    call.run.keep(call.run.value(indices).labels, "takes rows of a table by number")
    return Value((*[None] * indices.dim(), call.axis(weight, 1, "out")), zero=True)


def _count(call: Call, weight: Tensor, positions: int) -> None:
    """Count the multiply-adds of a weight, or of the parameter that it was computed from."""
    value = call.run.value(weight) if not call.run.graph.name(weight) else None
    source = call.run.graph.name(weight) if value is None else value.source
    if not source:
        raise NotUnderstood("has a weight that is not the network's own")
    call.run.graph.count(source, positions)


def _is_zero(call: Call, weight: Tensor, dim: int, bias: Tensor | None = None) -> bool:
    """Whether what a cut output of a weight gives is zero, with its bias."""
    return call.is_zero(weight, dim) and call.is_zero(bias, 0)


def _at(output: Tensor, dim: int, labels: list[int]) -> tuple[list[int] | None, ...]:
    return tuple(labels if place == dim else None for place in range(output.dim()))
