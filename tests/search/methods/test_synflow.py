"""SynFlow: flow by hand, conserved from layer to layer, and no layer that goes before all others."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.search.methods.synflow import SynFlow, SynFlowOptions
from tests.search.methods.helpers import parent_of


def chain(widths: tuple[int, ...] = (3, 4)) -> nn.Module:
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Flatten()]
    before = 16
    for width in widths:
        layers += [nn.Linear(before, width, bias=False), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.Linear(before, 2, bias=False)).double()


def test_one_round_is_the_flow_by_hand() -> None:
    net = chain()
    scores = SynFlow(SynFlowOptions(rounds=1)).score(parent_of(net))
    first, second, last = (net[place].weight.detach().abs() for place in (1, 3, 5))  # type: ignore[union-attr,operator]
    into, onward = first.sum(1), last.sum(0) @ second
    flow = into * onward
    order = scores["1"].argsort().tolist()
    assert order == flow.argsort().tolist()
    flow_second = (second @ into) * last.sum(0)
    assert scores["3"].argsort().tolist() == flow_second.argsort().tolist()


def test_many_rounds_score_anew_what_is_left() -> None:
    """By brute force: the channel with the least flow goes, and flows are computed again without it."""
    net = chain()
    weights = [net[place].weight.detach().abs().clone() for place in (1, 3, 5)]  # type: ignore[union-attr,operator]
    alive = {"1": [0, 1, 2], "3": [0, 1, 2, 3]}
    order = []
    while sum(map(len, alive.values())) > 2:
        first, second, last = weights
        into, out = first.sum(1), last.sum(0)
        flows = {"1": into * (out @ second), "3": (second @ into) * out}
        candidates = [
            (float(flows[name][c]), name, c) for name, left in alive.items() if len(left) > 1
            for c in left if c != max(left, key=lambda one: float(flows[name][one]))
        ]  # fmt: skip
        _, name, channel = min(candidates)
        order.append((name, channel))
        alive[name].remove(channel)
        place = 0 if name == "1" else 1
        weights[place][channel] = 0
        weights[place + 1][:, channel] = 0
    scores = SynFlow(SynFlowOptions(rounds=7)).score(parent_of(net))
    found = sorted(
        ((name, c) for name in scores for c in range(len(scores[name]))), key=lambda one: float(scores[one[0]][one[1]])
    )
    assert found[: len(order)] == order


def test_deep_networks_do_not_overflow() -> None:
    scores = SynFlow(SynFlowOptions(rounds=3)).score(parent_of(chain((50,) * 30)))
    assert all(bool(values.isfinite().all()) and float(values.std()) > 0 for values in scores.values())


def test_no_layer_is_emptied_before_all_others_are_at_their_last() -> None:
    net = chain((3, 40))
    net[1].weight.data.mul_(1e-3)  # type: ignore[union-attr,operator]
    scores = SynFlow(SynFlowOptions()).score(parent_of(net))
    assert float(scores["1"].max()) == pytest.approx(max(float(one.max()) for one in scores.values()), abs=1)
