"""Functions of several tensors, or of a tensor and a list of indices: which channels meet."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, fx

from espalier.models.channels.call import Call
from espalier.models.channels.labels import Channels, NotUnderstood


def combine(call: Call) -> Channels:
    """Sum or product of tensors: channels that meet are coupled. One that meets all of another tensor's stays."""
    several = [item for item in call.inputs if item[0].numel() > 1] or call.inputs  # a single number meets no channel
    value, channels = max(several, key=lambda item: (item[0].dim(), not item[1].opaque, len(item[1].labels)))
    for other, theirs in several:
        shift = value.dim() - other.dim()  # shapes are aligned at their ends
        if channels.dim is None:
            call.graph.labels.merge(theirs.labels, channels.labels * len(theirs.labels))
        elif theirs.opaque:  # what meets it stays whole, too
            if channels.dim >= shift and other.shape[channels.dim - shift] > 1:
                call.graph.labels.merge(channels.labels, theirs.labels * len(channels.labels))
        elif cast(int, theirs.dim) + shift != channels.dim or len(theirs.labels) not in (1, len(channels.labels)):
            raise NotUnderstood(f"{call.name} broadcasts over channels")
        elif len(theirs.labels) == len(channels.labels):
            call.graph.labels.merge(channels.labels, theirs.labels)
        else:
            call.graph.labels.keep(theirs.labels, f"{call.name} applies it to every channel")
    return channels


def concatenate(call: Call) -> Channels:
    """Labels one behind the other, where tensors are joined along their channels."""
    dim, first = call.argument(1, "dim", 0) % call.output.dim(), call.first[1]
    if all(channels.opaque for _, channels in call.inputs):
        for _, channels in call.inputs:
            call.graph.labels.merge(first.labels, channels.labels)
        return first
    listed = call.node.args[0] if call.node.args else call.node.kwargs["tensors"]
    if not isinstance(listed, (tuple, list)):
        raise NotUnderstood(f"{call.name} joins a list that is computed elsewhere")
    parts = map(call.traced, listed)  # a tensor may be listed twice
    return Channels(dim, [label for value, channels in parts for label in channels.along(dim, value, call.name)])


def select(call: Call) -> Channels:
    """A gather along channels by a buffer that names each once: what it reads stays whole, what it passes on is free.

    Cutting a channel shortens the buffer. A network that is built from a config gets the buffer from its picks.
    """
    value, index = call.first[0], call.argument(2, "index")
    if call.argument(1, "dim") != 1 or not isinstance(index, Tensor) or len(index) != value.shape[1]:
        raise NotUnderstood(f"{call.name} gathers something else than each channel once")
    name = call.graph.name(index)
    call.graph.labels.keep(call.labels(1), f"read through {name.rpartition('.')[0] or name}, which selects from it")
    if name in call.graph.selections:
        call.graph.exclude([index], f"{name} is used to select twice")
        raise NotUnderstood(f"{call.name} selects twice by the same buffer")
    call.graph.selections[name] = _scale_before(call)
    out = call.graph.labels.new(len(index))
    call.graph.assign(index, 0, out, "index")
    return Channels(1, out)


def selects(node: fx.Node) -> bool:
    """Whether a node of the graph is a gather by a list of indices."""
    return node.target in (torch.index_select, "index_select")


def _scale_before(call: Call) -> str | None:
    """The scale of the batch norm whose output is selected from, if it is one."""
    source = call.node.all_input_nodes[0]
    return call.graph.scale_of(call.graph.net.get_submodule(str(source.target))) if source.op == "call_module" else None
