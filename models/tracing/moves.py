"""Functions of one tensor that move, join or part its dimensions: where its channels lie afterwards."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from espalier.models.channels.counts import Count, Listed, fixed, plain
from espalier.models.channels.labels import NotUnderstood
from espalier.models.channels.value import Axis, Value
from espalier.models.tracing.call import Call


def reshape(call: Call) -> Value:
    """The same elements in other dimensions."""
    if (call.args[1:] and not isinstance(call.args[1], (int, tuple, list))) or "dtype" in call.kwargs:
        raise NotUnderstood("changes what kind of number it is")
    return _reshaped(call, call.numbers(1, "shape", "size"))


def reshape_as(call: Call) -> Value:
    """The same elements in the dimensions of another tensor."""
    other: Tensor = call.argument(1, "other")
    axes = call.run.value(other).axes
    sizes = [
        size if axis is None else Count.of(size, Listed(axis), call.run)
        for size, axis in zip(other.shape, axes, strict=True)
    ]
    found = _reshaped(call, sizes)
    for own, axis in zip(axes, found.axes, strict=True):
        if axis is None:
            call.without(own, "has sizes that would not fit a cut network")
    return found


def unflatten(call: Call) -> Value:
    """One dimension in several."""
    tensor, value = call.first
    dim, parts = plain(call.argument(1, "dim")) % tensor.dim(), [*call.argument(2, "sizes")]
    written = [size if axis is None else -1 for size, axis in zip(tensor.shape, value.axes, strict=True)]
    return _reshaped(call, [*written[:dim], *parts, *written[dim + 1 :]])


def flatten(call: Call) -> Value:
    """Several dimensions in one."""
    tensor, value = call.first
    start, end = (call.argument(1, "start_dim", 0), call.argument(2, "end_dim", -1))
    rank = max(1, tensor.dim())
    start, end = start % rank, end % rank
    ways = [size if axis is None else -1 for size, axis in zip(tensor.shape, value.axes, strict=True)]
    return _reshaped(call, [*ways[:start], -1, *ways[end + 1 :]])


def _reshaped(call: Call, written: Sequence[Any]) -> Value:
    """Whole dimensions are carried over, blocks of them joined or parted. A number where channels lie must say in every
    cut how many they are; -1 always does."""
    tensor, value = call.first
    shape: tuple[int, ...] = tuple(call.output.shape)
    if not value.has_channels:
        return value.moved((None,) * len(shape))
    if len(written) != len(shape):
        raise NotUnderstood("has sizes that are not known")
    axes: list[Axis] = [None] * len(shape)
    for before, after in _blocks(tuple(tensor.shape), shape):
        found = _joined(call, value.axes, tensor.shape, before)
        if found is not None:
            span = slice(after[0], after[-1] + 1)
            axes[span] = _parted(call, found, shape[span], written[span])
    return value.moved(axes)


def _blocks(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """The least blocks of dimensions of two shapes that have the same elements. Those of one element go along."""
    i = j = 0
    while i < len(before) or j < len(after):
        ours, theirs = [i] if i < len(before) else [], [j] if j < len(after) else []
        i, j = i + len(ours), j + len(theirs)
        while (one := math.prod(before[d] for d in ours)) != (other := math.prod(after[d] for d in theirs)):
            if one < other:
                ours.append(i)
                i += 1
            else:
                theirs.append(j)
                j += 1
        rest = (i == len(before) or j == len(after)) and all(n == 1 for n in (*before[i:], *after[j:]))
        if rest:
            ours, theirs = [*ours, *range(i, len(before))], [*theirs, *range(j, len(after))]
            i, j = len(before), len(after)
        yield ours, theirs


def _joined(call: Call, axes: Sequence[Axis], shape: Sequence[int], dims: Sequence[int]) -> Axis:
    """The labels of several dimensions as one. Of several with channels, those of the first can be cut."""
    labelled = [dim for dim in dims if axes[dim] is not None]
    if not labelled:
        return None
    for dim in labelled[1:]:
        call.without(axes[dim], "makes one dimension of two that have channels")
    at = dims.index(labelled[0])
    outer, inner = (math.prod(shape[dim] for dim in part) for part in (dims[:at], dims[at + 1 :]))
    labels = axes[labelled[0]] or []
    if inner > 1:
        labels = [label for label in labels for _ in range(inner)]
    return labels if outer == 1 else labels * outer


def _parted(call: Call, labels: list[int], sizes: Sequence[int], written: Sequence[Any]) -> list[Axis]:
    """The labels of one dimension as several: one of them varies with the cut, and every part of the others is cut
    alike."""
    long = [place for place, size in enumerate(sizes) if size > 1]
    varying = long if len(long) == 1 else [place for place in long if _varies(call, written[place])]
    if len(varying) != 1:  # what is known to vary, before what only may
        varying = [place for place in varying if _varies(call, fixed(written[place]))]
    if len(varying) > 1:  # what does already
        varying = [place for place in varying if labels == _spread(labels, sizes, place)]
    if len(varying) != 1:
        call.run.keep(labels, "has sizes that would not fit a cut network")
        return [None] * len(sizes)
    at = varying[0]
    own = labels[: math.prod(sizes[at:]) : math.prod(sizes[at + 1 :])]
    if len(own) != len(labels):
        call.labels.merge(labels, _spread(labels, sizes, at))
    if plain(written[at]) != -1 and not call.says(written[at], own):
        call.run.keep(own, "has sizes that would not fit a cut network")
    return [own if place == at else None for place in range(len(sizes))]


def _spread(labels: list[int], sizes: Sequence[int], at: int) -> list[int]:
    """Those of the first part, for all parts of the dimensions beside one."""
    inner = math.prod(sizes[at + 1 :])
    return [label for label in labels[: sizes[at] * inner : inner] for _ in range(inner)] * math.prod(sizes[:at])


def _varies(call: Call, number: Any) -> bool:
    return isinstance(number, Count) or number == -1 or bool(call.run.claimed(number))


# --- one dimension for another -------------------------------------------------------------------------------------


def permute(call: Call) -> Value:
    """The dimensions in another order."""
    value = call.first[1]
    return value.moved([value.axes[dim] for dim in call.numbers(1, "dims")])


def transpose(call: Call) -> Value:
    """Two dimensions change places."""
    value = call.first[1]
    one = call.argument(1, "dim0", call.kwargs.get("axis0"))
    other = call.argument(2, "dim1", call.kwargs.get("axis1"))
    axes = [*value.axes]
    axes[one], axes[other] = axes[other], axes[one]
    return value.moved(axes)


def last_two(call: Call) -> Value:
    """The last two dimensions change places."""
    value = call.first[1]
    if call.name == "T" or len(value.axes) < 2:
        return value.moved(value.axes[::-1])
    return value.moved([*value.axes[:-2], value.axes[-1], value.axes[-2]])


def movedim(call: Call) -> Value:
    """Some dimensions go elsewhere."""
    value, rank = call.first[1], call.tensor.dim()
    source, target = (
        [n % rank for n in ([dims] if isinstance(dims, int) else dims)]
        for dims in (call.argument(1, "source"), call.argument(2, "destination"))
    )
    rest = iter([dim for dim in range(rank) if dim not in source])
    return value.moved([value.axes[source[target.index(d)] if d in target else next(rest)] for d in range(rank)])


def squeeze(call: Call) -> Value:
    """Without dimensions of one element. Channels stay, since one that is left alone would be gone."""
    tensor, value = call.first
    named = call.numbers(1, "dim", "axis") or range(tensor.dim())
    axes: list[Axis] = []
    dims = {dim % tensor.dim() for dim in named}
    for dim, (axis, size) in enumerate(zip(value.axes, tensor.shape, strict=True)):
        if dim in dims:
            call.without(axis, "removes dimensions that are not named, or not of one element")
        if dim not in dims or size > 1:
            axes.append(None if dim in dims else axis)
    return value.moved(axes)


def unsqueeze(call: Call) -> Value:
    """One more dimension of one element."""
    tensor, value = call.first
    at = call.argument(1, "dim") % (tensor.dim() + 1)
    return value.moved([*value.axes[:at], None, *value.axes[at:]])


# --- the same again ------------------------------------------------------------------------------------------------


def expand(call: Call) -> Value:
    """The same elements for every place of a longer dimension."""
    tensor, value = call.first
    written = call.numbers(1, "size", "shape")
    more = len(written) - tensor.dim()
    axes: list[Axis] = []
    for place, number in enumerate(written):
        old = value.axes[place - more] if place >= more else None
        if old is not None:
            if plain(number) != -1 and not call.says(number, old):
                raise NotUnderstood("has sizes that would not fit a cut network")
            axes.append(old)
        else:
            grown = place < more or tensor.shape[place - more] == 1
            axes.append(call.counted(number) if grown else None)
    covered = all(
        axis is None or (place >= more and axis is value.axes[place - more]) for place, axis in enumerate(axes)
    )
    return value.moved(axes)._replace(zero=value.zero and covered, source="")


def repeat(call: Call) -> Value:
    """The whole several times over."""
    tensor, value = call.first
    times = [fixed(number) for number in call.numbers(1, "repeats", "sizes", "dims")]
    rank = call.output.dim()
    times = [1] * (rank - len(times)) + times
    axes: list[Axis] = []
    for place, number in enumerate(times):
        dim = place - (rank - tensor.dim())
        old = value.axes[dim] if dim >= 0 else None
        size = tensor.shape[dim] if dim >= 0 else 1
        if old is not None:
            if isinstance(number, Count):
                raise NotUnderstood("repeats channels as often as there are others")
            axes.append(old * number if number != 1 else old)
        else:
            axes.append(call.counted(number) if size == 1 else None)
    grown = any(
        axis is not None and (p < rank - tensor.dim() or value.axes[p - rank + tensor.dim()] is None)
        for p, axis in enumerate(axes)
    )
    return value.remade(axes)._replace(zero=value.zero and not grown)


def repeat_interleave(call: Call) -> Value:
    """Each index of a dimension several times in a row."""
    value, times = call.first[1], call.argument(1, "repeats")
    dim = call.argument(2, "dim")
    if type(times) is not int or dim is None:
        raise NotUnderstood("repeats as often as is computed elsewhere")
    axes = [*value.axes]
    axes[dim] = None if (old := axes[dim]) is None else [label for label in old for _ in range(times)]
    return value.remade(axes)


# --- between channels and space ------------------------------------------------------------------------------------


def pixel_shuffle(call: Call) -> Value:
    """Blocks of channels become space, and are cut as blocks (Shi et al. 2016)."""
    value, factor = call.first[1], call.argument(1, "upscale_factor")
    labels = value.axes[-3]
    if labels is not None:
        own = labels[:: factor**2]
        call.labels.merge(labels, [label for label in own for _ in range(factor**2)])
        labels = own
    return value.remade((*value.axes[:-3], labels, None, None))


def pixel_unshuffle(call: Call) -> Value:
    """Space becomes channels: so many of each."""
    value, factor = call.first[1], call.argument(1, "downscale_factor")
    labels = value.axes[-3]
    if labels is not None:
        labels = [label for label in labels for _ in range(factor**2)]
    return value.remade((*value.axes[:-3], labels, None, None))


def channel_shuffle(call: Call) -> Value:
    """Channels of several equal parts, in turns: the parts are cut alike (Zhang et al. 2018)."""
    value, groups = call.first[1], call.argument(1, "groups")
    labels = value.axes[1]
    if labels is not None:
        part = call.labels.blocks(labels, groups)
        labels = [label for label in part for _ in range(groups)]
    return value.remade((value.axes[0], labels, *value.axes[2:]))


def unfold(call: Call) -> Value:
    """Windows: of images, beside each other in the channels; or along one dimension, in a new one."""
    tensor, value = call.first
    if call.output.dim() == tensor.dim() + 1:
        dim = call.argument(1, "dimension")
        if value.axes[dim] is not None:
            raise NotUnderstood("works along the channels")
        return value.remade((*value.axes, None))
    labels = value.axes[1]
    if any(axis is not None for axis in value.axes[2:]):
        raise NotUnderstood("works along the channels")
    window = call.output.shape[1] // tensor.shape[1]
    if labels is not None:
        labels = [label for label in labels for _ in range(window)]
    return value.remade((None, labels, None))


def fold(call: Call) -> Value:
    """Windows back to images, in which they are summed: those of a channel are cut together."""
    tensor, value = call.first
    labels = value.axes[1]
    if tensor.dim() != 3 or value.axes[2] is not None:
        raise NotUnderstood("works along the channels")
    if labels is not None:
        window = tensor.shape[1] // call.output.shape[1]
        own = labels[::window]
        call.labels.merge(labels, [label for label in own for _ in range(window)])
        labels = own
    return value.remade((None, labels, None, None))
