"""The shapes of a network's activations, without its arithmetic.

On the meta device torch works many functions out in Python, at a hundred times the cost of looking. The commonest are
looked at here; the others go to torch. Channels that do not fit are refused as torch refuses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from espalier.models.channels.counts import Count, plain

_SMALL = 1 << 16
"""Elements up to which a constant of the code has values, so that the code may read them."""


class OnlyShapes(TorchFunctionMode):
    """While this is active, functions of meta tensors say shapes, and nothing more is to be expected of them. What is
    made of numbers alone has values, if it is small: code may read its constants."""

    def __init__(self) -> None:
        super().__init__()
        self._constants: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return self.given(args, kwargs or {}).call(func)

    def given(self, args: tuple[Any, ...], options: Mapping[str, Any]) -> Given:
        """The arguments of a function as torch gets them."""
        tensors: list[Tensor] = []
        counts: list[Count] = []
        simple = _are_simple(args, tensors) and _are_simple(options.values(), tensors)
        if simple and all(tensor.is_meta for tensor in tensors):  # as nearly always
            return Given(args, options, tensors, counts, not tensors, args, options, False)
        tensors.clear()
        plain_args = _plain(args, tensors, counts)
        plain_options = {name: _plain(part, tensors, counts) for name, part in options.items()}
        seen = plain_args, plain_options
        has_values = not any(tensor.is_meta for tensor in tensors)
        if not has_values and not all(tensor.is_meta for tensor in tensors):
            plain_args = self._meta(plain_args)
            plain_options = {name: self._meta(part) for name, part in plain_options.items()}
        live = [count for count in counts if not count.watch.ended]
        return Given(plain_args, plain_options, tensors, live, has_values, *seen, len(live) < len(counts))

    def _meta(self, part: Any) -> Any:
        if isinstance(part, Tensor):
            return part if part.is_meta else self._without_values(part)
        if type(part) in (tuple, list):
            return type(part)(map(self._meta, part))
        return part

    def _without_values(self, tensor: Tensor) -> Tensor:
        if id(tensor) not in self._constants:
            self._constants[id(tensor)] = (tensor, tensor.detach().to("meta"))
        return self._constants[id(tensor)][1]


class Given(NamedTuple):
    """What a function is given."""

    args: tuple[Any, ...]
    options: Mapping[str, Any]
    tensors: list[Tensor]
    """Those among it, as they were."""
    counts: list[Count]
    """The counts among it, which torch gets as plain numbers."""
    has_values: bool
    """Whether all its tensors have values; there may be none."""
    plain_args: tuple[Any, ...]
    """The same as it was given, but for counts; likewise the next."""
    plain_options: Mapping[str, Any]
    has_stale: bool
    """Whether there was a count among it that another trace left in a cache."""

    def call(self, func: Any) -> Any:
        """What the function gives."""
        if self.has_values:
            return func(*self.args, **self.options) if self.tensors else made(func, self.args, self.options)
        return look(func, self.args, self.options)


def _are_simple(parts: Iterable[Any], tensors: list[Tensor]) -> bool:
    """Whether arguments are tensors and plain values alone; the tensors are noted."""
    for part in parts:
        kind = type(part)
        if kind is Tensor or kind is nn.Parameter:
            tensors.append(part)
        elif kind not in _PLAIN and not (kind is tuple and _PLAIN.issuperset(map(type, part))):
            return False
    return True


_PLAIN = {int, float, bool, str, type(None), torch.dtype, torch.device, torch.memory_format}


def _plain(part: Any, tensors: list[Tensor], counts: list[Count]) -> Any:
    """An argument without counts; what is among it is noted."""
    if isinstance(part, Tensor):
        tensors.append(part)
        return part
    if type(part) is Count:
        counts.append(part)
        return plain(part)
    if type(part) in (tuple, list, torch.Size):
        parts = [_plain(one, tensors, counts) for one in part]
        return parts if type(part) is list else tuple(parts)
    if isinstance(part, slice):
        return slice(*(_plain(one, tensors, counts) for one in (part.start, part.stop, part.step)))
    return part


def numbers_of(args: tuple[Any, ...], options: Mapping[str, Any]) -> list[float | None]:
    """The numbers among arguments, in order; None for counts."""
    found: list[float | None] = []
    _note_numbers(args, found)
    _note_numbers(options.values(), found)
    return found


def _note_numbers(parts: Iterable[Any], found: list[float | None]) -> None:
    for part in parts:
        kind = type(part)
        if kind is Tensor or kind is nn.Parameter:  # as most are
            continue
        if kind is Count:
            found.append(None)
        elif isinstance(part, (int, float)):
            found.append(part)
        elif isinstance(part, (tuple, list)):
            _note_numbers(part, found)
        elif isinstance(part, slice):
            _note_numbers((part.start, part.stop, part.step), found)


def tensors_of(output: Any) -> Iterator[Tensor]:
    """The tensors in what a function gives."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for one in output:
            yield from tensors_of(one)


def made(func: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """What a function makes of numbers alone."""
    with torch.device("meta"):
        output = func(*args, **options)
    if isinstance(output, Tensor) and output.numel() <= _SMALL and options.get("device") is None:
        return func(*args, **options)
    return output


def look(func: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """What a function of torch gives for tensors without memory."""
    known = _SHAPES.get(func)
    if known is None or not (args and isinstance(args[0], Tensor) and args[0].is_meta and args[0].is_floating_point()):
        return func(*args, **options)
    return known(*args, **options)


def _unchanged(x: Tensor, *_args: Any, **_options: Any) -> Tensor:
    """Another tensor of the same shape; of a view with gaps torch makes one without."""
    return x.detach() if x.is_contiguous() else torch.empty_like(x)


def _elsewhere(x: Tensor, *args: Any, **options: Any) -> Tensor:
    """The same on another device, which is this one here."""
    if not any(isinstance(part, Tensor) for part in args):
        args = tuple(part for part in args if not isinstance(part, (str, torch.device)))
    options.pop("device", None)
    return x.to(*args, **options) if args or options else x


def _broadcast(x: Tensor, other: Any, **_options: Any) -> Tensor:
    if not isinstance(other, Tensor):
        return _unchanged(x)
    if other.dtype != x.dtype:
        return torch.add(x, other)  # torch knows what they are together
    shape = x.shape if other.shape == x.shape else torch.broadcast_shapes(x.shape, other.shape)
    return _unchanged(x) if shape == x.shape else x.new_empty(shape)


def _in_place(x: Tensor, other: Any, **_options: Any) -> Tensor:
    fits = not isinstance(other, Tensor) or other.shape == x.shape
    if not fits and torch.broadcast_shapes(x.shape, other.shape) != x.shape:
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


def _layer_norm(
    x: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 0
) -> Tensor:
    del eps
    wanted = tuple(normalized_shape)
    for shape in (x.shape[-len(wanted) :], *(tensor.shape for tensor in (weight, bias) if tensor is not None)):
        if tuple(shape) != wanted:
            raise ValueError(f"a layer norm over {wanted} gets {tuple(x.shape)}, and weights of {tuple(shape)}")
    return _unchanged(x)


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
    **dict.fromkeys((Tensor.cpu, Tensor.cuda), lambda x, *_args, **_options: x.detach()),
    Tensor.to: _elsewhere,
    F.batch_norm: _batch_norm,
    F.layer_norm: _layer_norm,
    F.conv2d: _conv2d,
    F.linear: _linear,
    F.adaptive_avg_pool2d: _adaptive_pool,
}  # fmt: skip
