"""From labels to channel groups."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from espalier.models.channels.counts import Attribute
from espalier.models.channels.graph import BATCH, ChannelGraph
from espalier.models.config import ChannelGroup, Selection, Shape, Slice, minimum_width
from espalier.models.errors import TraceError, first_line
from espalier.models.tracing.coupling import Coupling, KeptLayer, Number
from espalier.models.tracing.probe import images
from espalier.models.tracing.run import Run


def assemble(run: Run, net: nn.Module, shape: Shape, output: Tensor) -> Coupling:
    """What a run of the network found, as a value."""
    graph = run.graph
    stages = graph.stages()
    groups: list[ChannelGroup] = []
    taken: dict[str, int] = {}  # layer -> groups named after it
    for width, first in _intervals(graph, _counted(run)):
        layer = first[0].layer or first[0].tensor
        count = taken[layer] = taken.get(layer, 0) + 1
        name = f"{layer}:{count - 1}" if count > 1 else layer
        stage = next((stages[part.layer] for part in first if part.layer in stages), 0)
        groups.append(ChannelGroup(name, width, minimum_width(width), stage, first, _selection(graph, first)))
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in graph.tensors.items()
        if isinstance(tensor, nn.Parameter) or name in graph.macs_per_weight
    }
    owned = sum(math.prod(shapes[name]) * uses for name, uses in graph.macs_per_weight.items())
    other = 0 if run.understood else _multiply_adds(net, shape) - owned
    parts = _parts(shapes, groups)
    return Coupling(
        input=shape,
        output=tuple(output.shape[1:]),
        groups=tuple(groups),
        kept=_kept_layers(graph, groups),
        shapes=shapes,
        roles=graph.roles,
        stages=stages,
        macs_per_weight=graph.macs_per_weight,
        numbers=tuple(_numbers(run, groups)),
        fixed=frozenset(name for name in shapes if not isinstance(graph.tensors[name], nn.Parameter)),
        activation_macs=other,
        _parts=parts,
    )


def _selection(graph: ChannelGraph, slices: tuple[Slice, ...]) -> Selection | None:
    for part in slices:
        if part.tensor in graph.selections:
            return Selection(part, graph.selections[part.tensor])
    return None


def _multiply_adds(net: nn.Module, shape: Shape) -> int:
    """All of a network's multiply-adds for one input, as torch counts them operation by operation."""
    for batch in (1, BATCH):
        try:
            grad = torch.enable_grad()  # without it, attention is one unknown
            with torch.device("meta"), FlopCounterMode(display=False) as counter, grad:
                net(images(net, shape, batch))
            return int(counter.get_total_flops()) // (2 * batch)
        except Exception as error:  # some networks do not take a single image
            problem = error
    raise TraceError(f"multiply-adds of {type(net).__name__} cannot be counted: {first_line(problem)}")


def _ranked(graph: ChannelGraph) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The labels that stand for others, numbered without gaps, so that channels that were coupled in blocks lie in a
    row, too; and whether they are kept."""
    roots, kept = graph.labels.roots()
    distinct, ranks = np.unique(roots, return_inverse=True)
    return ranks.astype(np.int64), kept[distinct]


class _Segment(NamedTuple):
    """Labels in a row that own indices in a row: label `start + i` owns `repeat` of them at `at + i * repeat`."""

    start: int
    width: int
    at: int
    repeat: int


def _counted(run: Run) -> list[Attribute]:
    """The numbers that modules keep of which it is known what they count."""
    return [attribute for attribute in run.attributes if attribute.labels]


def _numbers(run: Run, groups: list[ChannelGroup]) -> Iterator[Number]:
    """What modules keep, as sums of widths; none of a number that no cut changes."""
    counted = _counted(run)
    if not counted:  # as in most networks
        return
    roots, _ = run.labels.roots()
    owner: dict[int, ChannelGroup] = {}
    for group in groups:
        owner |= dict.fromkeys(roots[run.graph.labels_in(group)].tolist(), group)
    widths = {group.name: group.width for group in groups}
    for attribute in counted:
        found = Counter(owner[root].name for root in roots[attribute.labels].tolist() if root in owner)
        if found:
            constant = len(attribute.labels or ()) - found.total()
            times = tuple((name, count // widths[name]) for name, count in found.items())
            yield Number(attribute.module, attribute.name, attribute.place, constant, times)


def _intervals(graph: ChannelGraph, numbers: list[Attribute]) -> Iterator[tuple[int, tuple[Slice, ...]]]:
    """The groups, in the order of the forward pass: their widths, and the slices of their channels.

    Labels belong to one group where they lie in a row in every tensor, so segments are cut wherever any of them begins
    or ends. A single channel cannot be thinned and is left out.
    """
    roots, kept = _ranked(graph)
    lists = {id(labels): labels for labels in graph.labels_of.values()}  # tensors of one layer share theirs
    segments = {key: [*_segments(roots[np.asarray(labels)], kept)] for key, labels in lists.items()}
    counted = [_segments(roots[np.asarray(number.labels)], kept) for number in numbers]
    rows = [*segments.values(), *counted]
    edges = {edge for found in rows for start, width, *_ in found for edge in (start, start + width)}
    cuts = sorted(edges)
    slices: dict[int, list[Slice]] = {}
    for (tensor, dim), labels in graph.labels_of.items():
        for start, width, at, repeat in segments[id(labels)]:
            for cut in cuts[bisect_left(cuts, start) : bisect_left(cuts, start + width)]:
                slices.setdefault(cut, []).append(
                    Slice(tensor, dim, graph.roles[tensor, dim], at + (cut - start) * repeat, repeat)
                )
    following = dict(pairwise(cuts))
    for cut, parts in slices.items():
        if following[cut] - cut > 1:
            yield following[cut] - cut, tuple(parts)


def _segments(labels: NDArray[np.int64], kept: NDArray[np.bool_]) -> Iterator[_Segment]:
    """The segments of one dimension of a tensor, without labels that are kept dense."""
    at = np.concatenate([[0], (labels[1:] != labels[:-1]).nonzero()[0] + 1])  # where another label begins
    values, repeats, stays = labels[at], np.concatenate([at[1:], [len(labels)]]) - at, kept[labels[at]]
    broken = (values[1:] - values[:-1] != 1) | (repeats[1:] != repeats[:-1]) | (stays[1:] != stays[:-1])
    for first, last in pairwise([0, *(broken.nonzero()[0] + 1).tolist(), len(values)]):
        if not stays[first]:
            yield _Segment(int(values[first]), last - first, int(at[first]), int(repeats[first]))


def _kept_layers(graph: ChannelGraph, groups: list[ChannelGroup]) -> tuple[KeptLayer, ...]:
    """Layers none of whose output channels can be cut."""
    grouped = {(part.tensor, part.dim) for group in groups for part in group.slices}
    given = {tensor: dim for (tensor, dim), role in graph.roles.items() if role == "out"}
    found: dict[str, str] = {}
    for (tensor, dim), labels in graph.labels_of.items():
        is_output = tensor in graph.macs_per_weight and dim == given.get(tensor, 0)
        if is_output and (tensor, dim) not in grouped:
            reasons = {graph.labels.reason(label) for label in labels} - {None}
            alone = "its channels can only be kept or cut all together"
            found[tensor.rpartition(".")[0]] = ", ".join(sorted(cast(set[str], reasons))) or alone
    found |= {layer: reason for layer, reason in graph.unknown.items() if layer not in found}
    return tuple(KeptLayer(layer, reason) for layer, reason in found.items())


def _parts(
    shapes: Mapping[str, tuple[int, ...]], groups: list[ChannelGroup]
) -> dict[str, tuple[tuple[int, tuple[tuple[str, int], ...]], ...]]:
    """For every dimension of every parameter: how many indices belong to no group, and which groups own the rest."""
    owners: dict[tuple[str, int], dict[str, int]] = {}
    for group in groups:
        for part in group.slices:
            repeats = owners.setdefault((part.tensor, part.dim), {})
            repeats[group.name] = repeats.get(group.name, 0) + part.repeat
    widths = {group.name: group.width for group in groups}
    return {
        tensor: tuple(
            (
                size - sum(repeat * widths[name] for name, repeat in owners.get((tensor, dim), {}).items()),
                tuple(owners.get((tensor, dim), {}).items()),
            )
            for dim, size in enumerate(shape)
        )
        for tensor, shape in shapes.items()
    }
