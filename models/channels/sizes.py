"""Numbers in a network's code that are sizes of its activations, and whether a cut changes them."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import fx

from espalier.models.channels.labels import Channels

RANK = "rank"
"""Where a node of the graph notes how many dimensions its activation has."""
_ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.floordiv)
_NO_SIZE = ("dtype", "device", "ndim", "dim", "is_floating_point", "type")
"""What may be asked of an activation without learning a size."""


class Sizes(NamedTuple):
    """One size of an activation, or several."""

    source: fx.Node
    dims: tuple[int, ...]


def sizes(number: Any) -> Sizes | None:
    """Which sizes a value in the graph is: `x.size(1)`, `x.shape[2:]` and the like. None if it is something else."""
    if not isinstance(number, fx.Node):
        return None
    if number.target is operator.getitem:
        inner, index = sizes(number.args[0]), number.args[1]
        return None if inner is None or _computed(index) else _part(inner, index)
    if number.target is getattr and number.args[1] == "shape":
        return _all(number.args[0])
    if number.target == "size":
        found, dim = _all(number.args[0]), number.kwargs.get("dim", *number.args[1:2])
        return found if found is None or dim is None else _part(found, dim)
    return None


def _all(source: Any) -> Sizes | None:
    rank = source.meta.get(RANK) if isinstance(source, fx.Node) else None
    return None if rank is None else Sizes(source, tuple(range(rank)))


def _computed(index: Any) -> bool:
    parts = (index.start, index.stop, index.step) if isinstance(index, slice) else (index,)
    return any(isinstance(part, fx.Node) for part in parts)


def _part(found: Sizes, index: Any) -> Sizes:
    chosen = found.dims[index]
    return Sizes(found.source, (chosen,) if isinstance(chosen, int) else chosen)


def stays(number: Any, known: Mapping[fx.Node, Channels]) -> bool:
    """Whether no cut changes a number: it is written out, or a size in a dimension where no channels lie."""
    if isinstance(number, fx.Node) and number.target in _ARITHMETIC:
        return all(stays(part, known) for part in number.args)
    found = sizes(number)
    if found is None:
        return isinstance(number, (int, float))
    return found.source in known and known[found.source].dim not in found.dims


def counted(node: fx.Node, known: Mapping[fx.Node, Channels]) -> Iterator[Channels]:
    """The channels whose number is one of those that a node computes with, other than through activations."""
    for number in node.all_input_nodes:
        if number in known:
            continue
        found = sizes(number)
        if found is not None and found.source in known:
            if known[found.source].dim in found.dims:
                yield known[found.source]
        elif number.target not in _NO_SIZE and not (number.target is getattr and number.args[1] in _NO_SIZE):
            yield from (known[source] for source in number.all_input_nodes if source in known)
            yield from counted(number, known)
