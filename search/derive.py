"""From a candidate and its trained parent to a network that is ready to train."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from espalier.models.config import ChannelConfig
from espalier.models.network import Network, build, dense, thinned
from espalier.models.surgery import prune
from espalier.models.weights import load_weights
from espalier.search import allocate
from espalier.search.data import Data
from espalier.search.methods import create
from espalier.search.methods.base import PruningMethod
from espalier.search.types import Candidate, Dense, Pruned, Target, Uniform


class Start(NamedTuple):
    """Where training begins."""

    config: ChannelConfig
    net: nn.Module
    regularizer: PruningMethod[Any] | None


def dense_config(target: Target, data: Data) -> ChannelConfig:
    """The target's whole network. Raises ModelError if it cannot take the data set's images."""
    return dense(target.arch, len(data.classes), data.shape, target.options)


def derive(candidate: Candidate, parent: Path | None, data: Data) -> Start:
    """The candidate's config, its network with starting weights, and what its training must respect.

    `parent` is the safetensors file of the candidate whose key is `candidate.parent`.
    """
    whole = dense_config(candidate.target, data)
    origin, coupling = candidate.origin, Network.of(whole).coupling
    match origin:
        case Dense():
            method = create(origin.method) if origin.method else None
            return Start(whole, build(whole, candidate.seed), method)
        case Pruned():
            return _pruned(candidate, origin, whole, parent)
        case Uniform():
            order, draw = allocate.uniform(coupling.groups, candidate.floor), 0
        case _:
            order, draw = allocate.random(coupling.groups, candidate.floor, origin.draw), origin.draw
    widths = allocate.allocate(order, coupling, origin.budget, candidate.floor)
    config = thinned(Network.of(whole), allocate.drawn(coupling.groups, widths, draw))
    return Start(config, build(config, candidate.seed), None)


def _pruned(candidate: Candidate, origin: Pruned, whole: ChannelConfig, parent: Path | None) -> Start:
    if parent is None:
        raise ValueError(f"candidate {candidate.label!r} needs its parent's weights")
    net, coupling = build(whole), Network.of(whole).coupling
    load_weights(net, parent)
    scores = create(origin.method).score(net, coupling.groups)
    order = allocate.by_scores(coupling.groups, scores, candidate.floor)
    mask = allocate.top(coupling.groups, scores, allocate.allocate(order, coupling, origin.budget, candidate.floor))
    config = thinned(Network.of(whole), mask)
    if candidate.init == "scratch":
        return Start(config, build(config, candidate.seed), None)
    return Start(config, prune(net, coupling, mask), None)
