"""Pruning single weights: which ones may go, and which stay for a budget. By rank and count, as channels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from espalier.models.network import Network
from espalier.models.weight_mask import WeightMask
from espalier.search.errors import SpecError
from espalier.search.results import Sparsity
from espalier.search.scores import Scores
from espalier.search.spec import Budget, Ratios

Layers = Literal["conv", "linear", "all"]
"""Of which layers single weights may be cut."""
_KINDS: Mapping[str, tuple[type[nn.Module], ...]] = {
    "conv": (nn.modules.conv._ConvNd,),
    "linear": (nn.Linear,),
    "all": (nn.modules.conv._ConvNd, nn.Linear),
}


def prunable_weights(network: Network, layers: Layers) -> tuple[str, ...]:
    """The weights of these layers, in the order of the forward pass. Raises SpecError if there are none."""
    found = [
        f"{name}.weight"
        for name, module in network.module.named_modules()
        if isinstance(module, _KINDS[layers]) and isinstance(module._parameters.get("weight"), nn.Parameter)
    ]
    if not found:
        kind = {"conv": "convolution", "linear": "linear layer", "all": "layer"}[layers]
        raise SpecError(f"{network.config.arch} has no {kind} whose single weights could be cut; choose other layers")
    return tuple(found)


def usual_weights(network: Network) -> tuple[str, ...]:
    """Those of convolutions; of linear layers where there are none."""
    is_convolutional = any(isinstance(module, _KINDS["conv"]) for module in network.module.modules())
    return prunable_weights(network, "conv" if is_convolutional else "linear")


def room_for(network: Network, names: Sequence[str], budget: Budget | Ratios) -> float:
    """What a budget leaves for more than one weight of each of these. Raises SpecError, with the least that works, if
    it leaves nothing."""
    if isinstance(budget, Ratios) or budget.metric == "channels":
        raise SpecError(f"single weights meet budgets of params or macs, and not {budget}, which is about channels")
    dense = getattr(network.cost, budget.metric)
    ones = WeightMask({name: _first(network.module.get_parameter(name)) for name in names})
    least = getattr(ones.nonzero(network.cost, network.coupling), budget.metric)
    room = float(budget.keep * dense * (1 + 1e-12) - least)
    if room < 0:
        raise SpecError(
            f"no mask keeps {budget.keep:g} of the {budget.metric}: what is not cut takes "
            f"{math.ceil(least / dense * 1e4) / 1e4:g}; ask for that or more"
        )
    return room


def _first(weight: Tensor) -> Tensor:
    kept = torch.zeros(weight.shape, dtype=torch.bool)
    kept.view(-1)[0] = True
    return kept


def allocate_weights(network: Network, scores: Scores, budget: Budget | Ratios) -> WeightMask:
    """The mask that keeps as many of the highest scores, over all layers, as the budget has room for: never above it,
    and one weight more would be. Each layer keeps at least one. Raises SpecError as `room_for` does."""
    names = tuple(scores)
    room = room_for(network, names, budget)
    per = network.coupling.macs_per_weight if budget.metric == "macs" else dict.fromkeys(names, 1)
    prices = torch.cat([torch.full((scores[name].numel(),), per.get(name, 0), dtype=torch.double) for name in names])
    order = _order(scores)
    prices[order[: len(names)]] = 0  # the best of each layer are paid already
    return _first_of(order, int((prices[order].cumsum(0) <= room).sum()), scores)


def by_counts(scores: Scores, counts: Mapping[str, int]) -> WeightMask:
    """The mask that keeps so many of the highest scores of each layer, at least one; ties go to the first."""
    return WeightMask({name: by_count({name: one}, counts[name]).kept[name] for name, one in scores.items()})


def by_count(scores: Scores, count: int) -> WeightMask:
    """The mask that keeps so many of the highest scores over all layers, and at least one in each."""
    return _first_of(_order(scores), max(count, len(scores)), scores)


def _order(scores: Scores) -> Tensor:
    """All weights in one row, from the highest score down; before all others, the best of each layer."""
    values = torch.cat([one.flatten().double() for one in scores.values()])
    start = 0
    for one in scores.values():
        values[start + int(one.argmax())] = math.inf
        start += one.numel()
    return torch.sort(values, descending=True, stable=True).indices


def _first_of(order: Tensor, count: int, scores: Scores) -> WeightMask:
    """The mask that keeps so many weights of the row."""
    kept = torch.zeros(len(order), dtype=torch.bool)
    kept[order[:count]] = True
    parts = kept.split([values.numel() for values in scores.values()])
    return WeightMask({name: part.view(scores[name].shape) for name, part in zip(scores, parts, strict=True)})


def of_weights(network: Network, names: tuple[str, ...], score: Callable[[Tensor], Tensor]) -> Scores:
    """A score for each of these weights, from its value."""
    return {name: score(network.module.get_parameter(name).detach().double()).cpu() for name in names}


@torch.no_grad()
def spread(network: Network, mask: WeightMask) -> None:
    """Widen the fresh weights that stay by 1 / sqrt(share that stays), in place, so that a unit's input varies as much
    as in the whole network (Liu et al. 2019, code)."""
    for name, share in mask.densities.items():
        network.module.get_parameter(name).mul_(share**-0.5)


def sparsity_of(network: Network) -> Sparsity | None:
    """What a network's mask leaves, where it has one."""
    mask = network.weight_mask
    if mask is None:
        return None
    return Sparsity(
        nonzero=network.counted, density=mask.density, layers=mask.densities, kernels=_kernels(network, mask)
    )


def _kernels(network: Network, mask: WeightMask) -> dict[int, tuple[tuple[float, ...], ...]]:
    """Share of 3x3 kernels that keep a place, by stage."""
    found: dict[int, list[Tensor]] = {}
    for name, kept in mask.kept.items():
        if tuple(kept.shape[2:]) == (3, 3):
            stage = network.coupling.stages[name.rpartition(".")[0]]
            found.setdefault(stage, []).append(kept.flatten(0, 1))
    means = {stage: torch.cat(parts).double().mean(0).tolist() for stage, parts in sorted(found.items())}
    return {stage: tuple(map(tuple, rows)) for stage, rows in means.items()}
