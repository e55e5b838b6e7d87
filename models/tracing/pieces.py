"""Functions that take a part of a tensor, or add to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from espalier.models.channels.counts import Count, fixed, plain
from espalier.models.channels.labels import NotUnderstood
from espalier.models.channels.value import Axis, Value
from espalier.models.tracing.call import Call
from espalier.models.tracing.joins import join


def index(call: Call) -> Value:
    """What an index takes: all channels, or as many of the first or last as a number says in every cut."""
    return _indexed(call, call.first[1], call.tensor, call.argument(1, "index"))


def _indexed(call: Call, value: Value, tensor: Tensor, given: Any) -> Value:
    parts = [*given] if isinstance(given, (tuple, list)) else [given]
    if not all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts) or any(
        isinstance(part, bool) for part in parts
    ):
        if value.has_channels or any(isinstance(p, Tensor) and call.run.value(p).has_channels for p in parts):
            raise NotUnderstood("takes what a tensor or a list says")
        return Value((None,) * call.output.dim(), value.reason)
    taken = sum(part is not None and part is not Ellipsis for part in parts)
    at = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    parts = [*parts[:at], *[slice(None)] * (tensor.dim() - taken), *parts[at + 1 :]]
    axes: list[Axis] = []
    dim = 0
    for part in parts:
        if part is None:
            axes.append(None)
            continue
        axis, dim = value.axes[dim], dim + 1
        if isinstance(part, int):
            call.without(axis, "takes some of the channels")
        else:
            axes.append(axis if axis is None else _slice(call, axis, part))
    whole = call.output.numel() == tensor.numel() if isinstance(call.output, Tensor) else False
    return value._replace(axes=tuple(axes), source=value.source if whole else "", scale="")


def _slice(call: Call, labels: list[int], part: slice) -> list[int]:
    """The channels that a slice takes, if its ends lie at the same channels in every cut."""
    if part.step not in (None, 1):
        raise NotUnderstood("takes some of the channels")
    first, last = _end(call, labels, part.start, 0), _end(call, labels, part.stop, len(labels))
    return labels[first : max(first, last)]


def _end(call: Call, labels: list[int], end: Any, default: int) -> int:
    """The place that an end of a slice says, in every cut: the channels before it, or behind it, are as many as a count
    says, or stay."""
    if end is None:
        return default
    number, size = int(plain(end)), len(labels)
    place: int = min(size, number) if number >= 0 else max(0, size + number)
    counted, named = (-end, labels[place:]) if number < 0 else (end, labels[:place])
    if isinstance(end, Count) and call.says(counted, named):
        call.run.claim(end)
    elif isinstance(end, Count) or 0 < place < size:
        call.run.keep(named, "takes some of the channels")
    return place


def write(call: Call) -> Value:
    """What an index takes is overwritten: what is written meets what was there."""
    tensor, value = call.first
    given, new = call.args[1], call.args[2]
    with_index = tensor[given] if not _by_tensor(given) else None
    if with_index is None:
        raise NotUnderstood("writes where a tensor says")
    there = _indexed(call, value, tensor, given)
    if not isinstance(new, Tensor):
        return value._replace(zero=value.zero and new == 0, source="", scale="")
    meeting = join(call, [(with_index, there), (new, call.run.value(new))])
    del meeting
    own = call.run.value(new)
    covers = [axis is None for axis in there.axes] == [
        axis is None for axis in (None,) * (with_index.dim() - new.dim()) + own.axes
    ]
    return value._replace(zero=value.zero and own.zero and covers, source="", scale="")


def _by_tensor(given: Any) -> bool:
    return any(isinstance(part, (Tensor, list)) for part in (given if isinstance(given, tuple) else (given,)))


def select(call: Call) -> Value:
    """One index of a dimension."""
    value, dim = call.first[1], plain(call.argument(1, "dim"))
    call.without(value.axes[dim], "takes some of the channels")
    return value.remade(_without(value.axes, dim))


def narrow(call: Call) -> Value:
    """A range of a dimension."""
    value, dim = call.first[1], plain(call.argument(1, "dim"))
    axes, start, length = [*value.axes], call.argument(2, "start"), call.argument(3, "length")
    if (labels := axes[dim]) is not None:
        axes[dim] = _piece(call, labels, plain(start), length)
        if plain(start) and not call.says(start, labels[: plain(start)]):
            call.run.keep(labels[: plain(start)], "takes some of the channels")
    return value.remade(axes)


def chunk(call: Call) -> list[Value]:
    """Equal parts; those of channels are cut alike."""
    value, dim = call.first[1], call.argument(2, "dim", 0)
    count = call.argument(1, "chunks", call.kwargs.get("indices_or_sections"))
    labels = value.axes[dim]
    if labels is None:
        return [value.remade(value.axes)] * len(call.output)
    if type(count) is not int or len(call.output) != count or len(labels) % count:
        raise NotUnderstood("takes parts of the channels that are not equal")
    part = call.labels.blocks(labels, count)
    return [_with(value, dim, part)] * count


def split(call: Call) -> list[Value]:
    """Parts of stated sizes, which must be those of the same channels in every cut."""
    value, dim = call.first[1], plain(call.argument(2, "dim", 0))
    sizes = call.argument(1, "split_size_or_sections", call.kwargs.get("split_size"))
    labels = value.axes[dim]
    if labels is None:
        return [value.remade(value.axes)] * len(call.output)
    listed = [*sizes] if isinstance(sizes, (tuple, list)) else [sizes] * len(call.output)
    found, start = [], 0
    for number in listed:
        found.append(_with(value, dim, _piece(call, labels, start, number)))
        start += plain(number)
    if start != len(labels):
        raise NotUnderstood("takes parts of the channels that are not equal")
    return found


def _piece(call: Call, labels: list[int], start: int, length: Any) -> list[int]:
    piece = labels[start : start + plain(length)]
    if not call.says(length, piece):
        call.run.keep(piece, "takes a fixed number of the channels")
    return piece


def unbind(call: Call) -> list[Value]:
    """Every index of a dimension by itself."""
    value, dim = call.first[1], plain(call.argument(1, "dim", 0))
    call.without(value.axes[dim], "takes the channels one by one")
    return [value.remade(_without(value.axes, dim))] * len(call.output)


def glu(call: Call) -> Value:
    """One half gates the other, and is cut like it (Dauphin et al. 2017)."""
    value, dim = call.first[1], call.argument(1, "dim", -1)
    labels = value.axes[dim]
    half = None if labels is None else call.labels.blocks(labels, 2)
    return _with(value, dim, half)


def index_select(call: Call) -> Value:
    """Places of a dimension without channels; of channels, all of them in another order."""
    value, by = call.first[1], call.argument(2, "index")
    dim = call.argument(1, "dim")
    if value.axes[dim] is not None or dim == 1:
        return _selected(call)
    if isinstance(by, Tensor) and call.run.value(by).has_channels:
        raise NotUnderstood("takes what a tensor says")
    return value.remade(value.axes)


def gather(call: Call) -> Value:
    """Places of a dimension without channels, which another tensor says for each channel."""
    (tensor, value), by = call.first, call.argument(2, "index")
    dim = call.argument(1, "dim") % tensor.dim()
    if value.axes[dim] is not None or call.run.value(by).axes[dim] is not None:
        raise NotUnderstood("takes what a tensor says")
    if any(one != other for d, (one, other) in enumerate(zip(tensor.shape, by.shape, strict=True)) if d != dim):
        raise NotUnderstood("takes some of what lies there")
    return join(call, [(call.output, value), (by, call.run.value(by))])._replace(zero=value.zero, source="")


def _selected(call: Call) -> Value:
    """A gather along channels by a buffer that names each once: what it reads stays whole, what it passes on is free.

    Cutting a channel shortens the buffer. A network that is built from a config gets the buffer from its picks.
    """
    tensor, value = call.first
    by, graph = call.argument(2, "index"), call.run.graph
    name = graph.name(by) if isinstance(by, Tensor) else ""
    if call.argument(1, "dim") != 1 or not name or len(by) != tensor.shape[1] or by.dtype != torch.int64:
        raise NotUnderstood("gathers something else than each channel once")
    call.labels.keep(call.along(tensor, 1), f"read through {name.rpartition('.')[0] or name}, which selects from it")
    if name in graph.selections:
        graph.exclude([name], f"{name} is used to select twice")
        raise NotUnderstood("selects twice by the same buffer")
    graph.selections[name] = value.scale or None
    out = call.labels.new(len(by))
    graph.assign(name, 0, out, "index")
    return Value((None, out, *[None] * (tensor.dim() - 2)))


def pad(call: Call) -> Value:
    """Zeros along channels are channels that nothing can cut, or as many as another activation's are more."""
    tensor, value = call.first
    amounts: Sequence[Any] = [*call.argument(1, "pad")]
    mode, filler = call.argument(2, "mode", "constant"), call.argument(3, "value") or 0
    axes = [*value.axes]
    for place in range(len(amounts) // 2):
        dim = tensor.dim() - 1 - place
        before, after = amounts[2 * place], amounts[2 * place + 1]
        labels = axes[dim]
        if labels is not None and (plain(before), plain(after)) != (0, 0):
            axes[dim] = _padded(call, labels, fixed(before), fixed(after), (mode, filler) == ("constant", 0))
    zero = value.zero and (mode != "constant" or filler == 0)
    return value._replace(axes=tuple(axes), zero=zero, source="", scale="")


def _padded(call: Call, labels: list[int], before: Any, after: Any, zeros: bool) -> list[int]:
    if min(plain(before), plain(after)) < 0:
        raise NotUnderstood("crops channels")
    if not zeros:
        raise NotUnderstood("pads channels with something else than zeros")
    more = call.labels.new(plain(before) + plain(after))
    joined = [*more[: plain(before)], *labels, *more[plain(before) :]]
    computed = [number for number in (before, after) if isinstance(number, Count)]
    if not computed:
        call.run.keep(more, "pads channels by a fixed number")
    elif len(computed) > 1 or (plain(before) and plain(after)):
        raise NotUnderstood("pads by a number that would not fit a cut network")
    else:
        _follow_difference(call, computed[0], labels, joined)
    return joined


def _follow_difference(call: Call, number: Count, labels: list[int], joined: list[int]) -> None:
    """Zeros that make up for the difference to another activation's channels, to which all are coupled then."""
    sources = {int(factor): source() for source, factor in number.terms}
    more, less = sources.get(1), sources.get(-1)
    if len(number.terms) != 2 or more is None or less != labels or len(more) != len(joined):
        raise NotUnderstood("pads by a number that would not fit a cut network")
    call.labels.merge(joined, more)
    call.run.claim(number)


def _with(value: Value, dim: int, labels: Axis) -> Value:
    axes = [*value.axes]
    axes[dim] = labels
    return value.remade(axes)


def _without(axes: Sequence[Axis], dim: int) -> tuple[Axis, ...]:
    dim %= len(axes)
    return (*axes[:dim], *axes[dim + 1 :])
