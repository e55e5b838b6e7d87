"""The shapes of a network's activations, without its arithmetic.

On the meta device torch works many functions out in Python, at a hundred times the cost of looking. The commonest are
looked at here; the others go to torch. Channels that do not fit are refused as torch refuses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class OnlyShapes(TorchFunctionMode):
    """While this is active, functions of meta tensors say shapes, and nothing more is to be expected of them. Tensors
    that are made meanwhile are meta tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.weighted = 0
        """Convolutions and products with matrices of weights so far."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        self.weighted += func in _WEIGHTED
        if not args or not isinstance(args[0], Tensor):
            with torch.device("meta"):
                return func(*args, **options)
        known = _SHAPES.get(func)
        if known is None or not (args[0].is_meta and args[0].is_floating_point()):
            return func(*args, **options)
        return known(*args, **options)


def _unchanged(x: Tensor, *_args: Any, **_options: Any) -> Tensor:
    """A tensor of the same shape: the same, unless it is a view with gaps, of which torch makes one without, or a
    parameter, of which torch makes a tensor."""
    return x if x.is_contiguous() and type(x) is Tensor else torch.empty_like(x)


def _broadcast(x: Tensor, other: Any, **_options: Any) -> Tensor:
    if not isinstance(other, Tensor):
        return _unchanged(x)
    if other.dtype != x.dtype:
        return torch.add(x, other)  # torch knows what they are together
    shape = x.shape if other.shape == x.shape else torch.broadcast_shapes(x.shape, other.shape)
    return _unchanged(x) if shape == x.shape else x.new_empty(shape)


def _in_place(x: Tensor, other: Any, **_options: Any) -> Tensor:
    if isinstance(other, Tensor) and torch.broadcast_shapes(x.shape, other.shape) != x.shape:
        raise ValueError(f"a tensor of {tuple(x.shape)} has no room for what {tuple(other.shape)} makes of it")
    return x


def _batch_norm(
    x: Tensor, running_mean: Tensor | None, running_var: Any, weight: Tensor | None = None, *_rest: Any, **_options: Any
) -> Tensor:
    del running_var
    for tensor in (running_mean, weight):
        if tensor is not None and len(tensor) != x.shape[1]:
            raise ValueError(f"a batch norm of {len(tensor)} channels gets {x.shape[1]}")
    return _unchanged(x)


def _adaptive_pool(x: Tensor, output_size: Any) -> Tensor:
    edges = (output_size, output_size) if isinstance(output_size, int) else output_size
    kept = [old if new is None else new for old, new in zip(x.shape[-2:], edges, strict=True)]
    return x.new_empty((*x.shape[:-2], *kept))


def _conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    out, per_group, *kernel = weight.shape
    if isinstance(padding, str) or x.dim() != 4:
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    if x.shape[1] != per_group * groups or out % groups or (bias is not None and len(bias) != out):
        raise ValueError(
            f"a convolution of {per_group * groups} to {out} channels in {groups} groups gets {x.shape[1]}"
        )
    sizes = zip(x.shape[2:], kernel, _pair(stride), _pair(padding), _pair(dilation), strict=True)
    edges = [(size + 2 * pad - step * (edge - 1) - 1) // jump + 1 for size, edge, jump, pad, step in sizes]
    if min(edges) < 1:
        raise ValueError(f"a convolution of {kernel} gets images of {tuple(x.shape[2:])}, which is too small")
    return x.new_empty((x.shape[0], out, *edges))


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if x.shape[-1] != weight.shape[1] or (bias is not None and len(bias) != len(weight)):
        raise ValueError(f"a linear layer of {weight.shape[1]} to {len(weight)} features gets {tuple(x.shape)}")
    return x.new_empty((*x.shape[:-1], len(weight)))


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value) * (2 if len(value) == 1 else 1)


_SHAPES: dict[Any, Callable[..., Tensor]] = {
    **dict.fromkeys(
        (F.relu, F.relu6, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.dropout, torch.relu, torch.sigmoid,
         Tensor.relu, Tensor.sigmoid), _unchanged,
    ),
    **dict.fromkeys(
        (torch.add, torch.sub, torch.mul, torch.div, Tensor.add, Tensor.sub, Tensor.mul, Tensor.div, Tensor.__add__,
         Tensor.__sub__, Tensor.__rsub__, Tensor.__mul__, Tensor.__truediv__), _broadcast,
    ),
    **dict.fromkeys((Tensor.__iadd__, Tensor.__imul__, Tensor.add_, Tensor.mul_), _in_place),
    F.batch_norm: _batch_norm,
    F.conv2d: _conv2d,
    F.linear: _linear,
    F.adaptive_avg_pool2d: _adaptive_pool,
}  # fmt: skip
_WEIGHTED = (F.conv2d, F.linear)
