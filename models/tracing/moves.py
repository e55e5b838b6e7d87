"""Functions of one tensor that move, join or drop dimensions: where its channels lie afterwards."""

from __future__ import annotations

import operator
from typing import Any

from torch import Tensor, fx

from espalier.models.channels.call import Call
from espalier.models.channels.labels import Channels, NotUnderstood
from espalier.models.channels.rules import columns
from espalier.models.channels.sizes import sizes


def scaled(call: Call) -> Channels:
    """Division by a number; a tensor below the line could be zero where a channel is cut."""
    divided, divisor = call.argument(0, "input"), call.argument(1, "other")
    if not isinstance(divided, Tensor) or (isinstance(divisor, Tensor) and divisor.numel() > 1):
        raise NotUnderstood(f"{call.name} divides by a tensor")
    return call.first[1]


def reduce(call: Call) -> Channels:
    """Means and the like, over dimensions apart from batch and channels."""
    value, channels = call.first
    dims = call.argument(1, "dim")
    over = {d % value.dim() for d in ([dims] if isinstance(dims, int) else dims or range(value.dim()))}
    if channels.dim in over or 0 in over:
        raise NotUnderstood(f"{call.name} reduces over channels")
    if channels.dim is None or call.argument(2, "keepdim", False):
        return channels
    return Channels(channels.dim - sum(d < channels.dim for d in over), channels.labels)


def reshape(call: Call) -> Channels:
    """`view(batch, -1)`, which is a flatten, or other dimensions behind channels that stay where they are."""
    (value, channels), wanted = call.first, call.node.args[1:]
    if len(wanted) == 1 and isinstance(wanted[0], (tuple, list)):
        wanted = tuple(wanted[0])
    if value.dim() == 1 and channels.dim == 0 and wanted.count(-1) == 1 and wanted.count(1) == len(wanted) - 1:
        return Channels(wanted.index(-1), channels.labels)  # a parameter, made to fit an activation
    if len(wanted) < 2 or call.output.shape[0] != value.shape[0] or not call.stays(wanted[0]):
        raise NotUnderstood(f"{call.name} rearranges channels")
    if len(wanted) == 2 and wanted[1] == -1:
        return columns(call, 1, value.dim() - 1)
    if call.output.shape[1] != value.shape[1] or not all(map(call.stays, wanted[2:])):
        raise NotUnderstood(f"{call.name} rearranges channels")
    if wanted[1] != -1:
        couple_to(call, wanted[1], call.labels(1))
    return Channels(1, call.labels(1))


def couple_to(call: Call, number: Any, labels: list[int]) -> None:
    """Couple labels to the channels whose number, in the network's code, says how many they are."""
    found = sizes(number)
    source = None if found is None else call.known.get(found.source)
    if found is None or source is None or (source.dim,) != found.dims or len(source.labels) != len(labels):
        raise NotUnderstood(f"{call.name} has sizes that would not fit a cut network")
    call.graph.labels.merge(labels, source.labels)


def squeeze(call: Call) -> Channels:
    """Without the named dimensions of one element, which cannot be the channels'."""
    value, channels = call.first
    dims = call.argument(1, "dim")
    gone = {d % value.dim() for d in ([dims] if isinstance(dims, int) else dims or ())}
    if not gone or channels.dim in gone or any(value.shape[d] != 1 for d in gone):
        raise NotUnderstood(f"{call.name} removes dimensions that are not named, or not of one element")
    return Channels(
        None if channels.dim is None else channels.dim - sum(d < channels.dim for d in gone), channels.labels
    )


def unsqueeze(call: Call) -> Channels:
    """One more dimension of one element."""
    value, channels = call.first
    at = call.argument(1, "dim") % (value.dim() + 1)
    return Channels(None if channels.dim is None else channels.dim + (at <= channels.dim), channels.labels)


def permute(call: Call) -> Channels:
    """Dimensions in another order."""
    value, channels = call.first
    dims = call.argument(1, "dims")
    order = [d % value.dim() for d in (dims if isinstance(dims, (tuple, list)) else call.args[1:])]
    return Channels(None if channels.dim is None else order.index(channels.dim), channels.labels)


def transpose(call: Call) -> Channels:
    """Two dimensions change places."""
    value, channels = call.first
    one, other = (call.argument(1, "dim0") % value.dim(), call.argument(2, "dim1") % value.dim())
    moved = {one: other, other: one}
    return Channels(None if channels.dim is None else moved.get(channels.dim, channels.dim), channels.labels)


def index(call: Call) -> Channels:
    """Whatever leaves the channels whole."""
    value, channels = call.first
    index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if not all(part is None or part is Ellipsis or type(part) in (int, slice) for part in index):
        raise NotUnderstood(f"{call.name} takes what a tensor or a list says")
    taken = sum(part is not None and part is not Ellipsis for part in index)
    at = index.index(Ellipsis) if Ellipsis in index else len(index)
    index = (*index[:at], *[slice(None)] * (value.dim() - taken), *index[at + 1 :])
    dims = [dim for dim, part in enumerate(part for part in index if part is not None) if type(part) is not int]
    if channels.dim is None:
        return channels
    kept = [part for part in index if part is not None][channels.dim]
    if type(kept) is int or not _whole(kept, value.shape[channels.dim]):
        raise NotUnderstood(f"{call.name} takes some of the channels")
    added = [None if part is None else dims.pop(0) for part in index if type(part) is not int]
    return Channels(added.index(channels.dim), channels.labels)


def _whole(part: slice, size: int) -> bool:
    """Whether a slice takes everything, however many channels a cut leaves."""
    return part.start in (None, 0) and part.step in (None, 1) and (part.stop is None or part.stop >= size)


def pad(call: Call) -> Channels:
    """Zeros along channels are channels that nothing can cut, or as many as another activation's are more."""
    value, channels = call.first
    amounts = list(call.argument(1, "pad"))
    written = call.node.args[1] if len(call.node.args) > 1 else call.node.kwargs["pad"]
    if not isinstance(written, (tuple, list)):
        raise NotUnderstood(f"{call.name} pads by what is computed elsewhere")
    computed = [number for number in written if not call.stays(number)]
    if channels.dim is None and not computed:
        return channels
    if channels.dim is None:
        raise NotUnderstood(f"{call.name} pads by a number that would not fit a cut network")
    behind = 2 * (value.dim() - 1 - channels.dim)  # dimensions after the channels come first in `pad`
    before, after = ([*amounts[behind : behind + 2], 0, 0])[:2]
    if min(before, after) < 0:
        raise NotUnderstood(f"{call.name} crops channels")
    if (before or after) and (call.argument(2, "mode", "constant"), call.argument(3, "value") or 0) != ("constant", 0):
        raise NotUnderstood(f"{call.name} pads channels with something else than zeros")
    zeros = call.graph.labels.new(before + after)
    labels = [*zeros[:before], *channels.labels, *zeros[before:]]
    if not computed:
        call.graph.labels.keep(zeros, f"{call.name} pads channels by a fixed number")
    elif len(computed) > 1 or (before and after) or computed[0] not in written[behind : behind + 2]:
        raise NotUnderstood(f"{call.name} pads by a number that would not fit a cut network")
    else:
        _follow_difference(call, computed[0], labels)
    return Channels(channels.dim, labels)


def _follow_difference(call: Call, number: fx.Node, labels: list[int]) -> None:
    """Zeros that make up for the difference to another activation's channels, to which all are coupled then."""
    more, less = number.args if number.target is operator.sub else (None, None)
    own = sizes(less)
    if own is None or own.source is not call.node.args[0] or own.dims != (call.first[1].dim,):
        raise NotUnderstood(f"{call.name} pads by a number that would not fit a cut network")
    couple_to(call, more, labels)
