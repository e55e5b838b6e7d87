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
    """While this is active, functions of meta tensors say shapes, and nothing more is to be expected of them."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        known = _SHAPES.get(func)
        if known is not None and args and isinstance(args[0], Tensor) and args[0].is_meta:
            return known(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _unchanged(x: Tensor, *_args: Any, **_options: Any) -> Tensor:
    return x


def _broadcast(x: Tensor, other: Any, **_options: Any) -> Tensor:
    if not isinstance(other, Tensor) or other.shape == x.shape:
        return x
    return x.new_empty(torch.broadcast_shapes(x.shape, other.shape))


def _batch_norm(
    x: Tensor, running_mean: Tensor | None, running_var: Any, weight: Tensor | None = None, *_rest: Any, **_options: Any
) -> Tensor:
    del running_var
    for tensor in (running_mean, weight):
        if tensor is not None and len(tensor) != x.shape[1]:
            raise ValueError(f"a batch norm of {len(tensor)} channels gets {x.shape[1]}")
    return x


def _adaptive_pool(x: Tensor, output_size: Any) -> Tensor:
    edges = (output_size, output_size) if isinstance(output_size, int) else output_size
    kept = [old if new is None else new for old, new in zip(x.shape[-2:], edges, strict=True)]
    return x.new_empty((*x.shape[:-2], *kept))


_SHAPES: dict[Any, Callable[..., Tensor]] = {
    **dict.fromkeys(
        (F.relu, F.relu6, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.dropout, torch.relu, torch.sigmoid,
         Tensor.relu, Tensor.sigmoid), _unchanged,
    ),
    **dict.fromkeys(
        (torch.add, torch.mul, Tensor.add, Tensor.mul, Tensor.__add__, Tensor.__mul__, Tensor.__iadd__, Tensor.__imul__,
         Tensor.add_, Tensor.mul_), _broadcast,
    ),
    F.batch_norm: _batch_norm,
    F.adaptive_avg_pool2d: _adaptive_pool,
}  # fmt: skip
