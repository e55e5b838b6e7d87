"""Budgets: never exceeded, used up to the last channel that fits, nested, and untroubled by ties."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espalier.models.config import ChannelGroup
from espalier.models.network import Network, dense
from espalier.search import allocate
from espalier.search.errors import SpecError
from espalier.search.types import Budget, Metric

FLOOR = 0.1
NETS = {name: Network.of(dense(name, 4, (3, 32, 32), {"width": 0.25})).coupling for name in ("vgg11", "resnet20")}
KINDS = ("scores", "tied", "uniform", "random")

everywhere = given(
    name=st.sampled_from(sorted(NETS)),
    kind=st.sampled_from(KINDS),
    metric=st.sampled_from(["params", "macs", "channels"]),
    keep=st.floats(0.25, 1.0),
    seed=st.integers(0, 1000),
)


def order_of(kind: str, name: str, seed: int) -> Any:
    groups = NETS[name].groups
    generator = torch.Generator().manual_seed(seed)
    if kind == "scores":
        return allocate.by_scores(groups, {g.name: torch.rand(g.width, generator=generator) for g in groups}, FLOOR)
    if kind == "tied":
        return allocate.by_scores(groups, {g.name: torch.zeros(g.width) for g in groups}, FLOOR)
    return allocate.uniform(groups, FLOOR) if kind == "uniform" else allocate.random(groups, FLOOR, seed)


def measure(name: str, widths: dict[str, int], metric: Metric) -> int:
    if metric == "channels":
        return sum(widths.values())
    return int(getattr(NETS[name].cost(widths), metric))


@everywhere
def test_a_budget_is_met_exactly(name: str, kind: str, metric: Metric, keep: float, seed: int) -> None:
    coupling, order = NETS[name], order_of(kind, name, seed)
    widths = allocate.allocate(order, coupling, Budget(metric=metric, keep=keep), FLOOR)
    room = keep * measure(name, coupling.widths, metric) * (1 + 1e-9)
    assert measure(name, widths, metric) <= room
    taken = sum(widths.values()) - int(allocate.floors(coupling.groups, FLOOR).sum())
    if taken < len(order):
        following = coupling.groups[order[taken]].name
        assert measure(name, widths | {following: widths[following] + 1}, metric) > room
    assert all(
        floor <= widths[g.name] <= g.width
        for g, floor in zip(coupling.groups, allocate.floors(coupling.groups, FLOOR), strict=True)
    )


@everywhere
def test_a_smaller_budget_keeps_a_part_of_a_larger_ones(
    name: str, kind: str, metric: Metric, keep: float, seed: int
) -> None:
    coupling, order = NETS[name], order_of(kind, name, seed)
    small, large = (
        allocate.allocate(order, coupling, Budget(metric=metric, keep=k), FLOOR) for k in (keep, (1 + keep) / 2)
    )
    assert all(small[group] <= large[group] for group in small)
    scores = {g.name: torch.rand(g.width, generator=torch.Generator().manual_seed(seed)) for g in coupling.groups}
    masks = [allocate.top(coupling.groups, scores, widths).kept for widths in (small, large)]
    assert all(bool((masks[1][group] | ~masks[0][group]).all()) for group in small)


@everywhere
def test_the_whole_budget_is_the_whole_network(name: str, kind: str, metric: Metric, keep: float, seed: int) -> None:
    del keep
    whole = allocate.allocate(order_of(kind, name, seed), NETS[name], Budget(metric=metric, keep=1.0), FLOOR)
    assert whole == NETS[name].widths


def test_the_channels_that_stay_are_those_with_the_highest_scores() -> None:
    groups = NETS["vgg11"].groups
    scores = {g.name: torch.rand(g.width, generator=torch.Generator().manual_seed(i)) for i, g in enumerate(groups)}
    order = allocate.by_scores(groups, scores, FLOOR)
    widths = allocate.allocate(order, NETS["vgg11"], Budget(metric="channels", keep=0.5), FLOOR)
    masks = allocate.top(groups, scores, widths).kept
    floors = dict(zip([g.name for g in groups], allocate.floors(groups, FLOOR), strict=True))
    cut = torch.cat([scores[name][~mask] for name, mask in masks.items()])
    kept = [scores[n][m].sort(descending=True).values[floors[n] :] for n, m in masks.items()]
    assert float(torch.cat(kept).min()) > float(cut.max())


def test_ten_equal_scores_still_keep_the_number_asked_for() -> None:
    group = ChannelGroup("a", 10, 1, 0, ())
    for count in range(1, 11):
        assert int(allocate.top((group,), {"a": torch.ones(10)}, {"a": count}).kept["a"].sum()) == count


def test_uniform_widths_are_one_share_of_every_group() -> None:
    coupling = NETS["vgg11"]
    widths = allocate.allocate(
        allocate.uniform(coupling.groups, FLOOR), coupling, Budget(metric="params", keep=0.3), FLOOR
    )
    shares = [widths[group.name] / group.width for group in coupling.groups]
    assert max(shares) - min(shares) <= 1 / min(group.width for group in coupling.groups)


def test_equal_scores_are_shared_out_evenly() -> None:
    coupling, budget = NETS["resnet20"], Budget(metric="macs", keep=0.4)
    tied = allocate.allocate(order_of("tied", "resnet20", 0), coupling, budget, FLOOR)
    assert tied == allocate.allocate(allocate.uniform(coupling.groups, FLOOR), coupling, budget, FLOOR)


def test_random_widths_differ_between_draws_and_repeat_for_one() -> None:
    coupling, budget = NETS["vgg11"], Budget(metric="params", keep=0.3)
    drawn = [allocate.allocate(allocate.random(coupling.groups, FLOOR, d), coupling, budget, FLOOR) for d in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_budget_below_the_floors_names_the_least_that_works() -> None:
    coupling, order = NETS["vgg11"], allocate.uniform(NETS["vgg11"].groups, FLOOR)
    with pytest.raises(SpecError, match=r"no widths keep 0.001 of the params.* the network keeps 0\.\d+") as caught:
        allocate.allocate(order, coupling, Budget(metric="params", keep=0.001), FLOOR)
    least = float(str(caught.value).partition("the network keeps ")[2].partition(";")[0])
    allocate.allocate(order, coupling, Budget(metric="params", keep=least), FLOOR)
    with pytest.raises(SpecError):
        allocate.allocate(order, coupling, Budget(metric="params", keep=least * 0.98), FLOOR)


def test_against_trying_every_cut() -> None:
    """The bisection finds what a walk along the ranking finds."""
    coupling = NETS["vgg11"]
    for metric, keep in itertools.product(("params", "macs", "channels"), (0.3, 0.6)):
        order = order_of("scores", "vgg11", 7)
        widths = dict(zip(coupling.widths, allocate.floors(coupling.groups, FLOOR).tolist(), strict=True))
        room = keep * measure("vgg11", coupling.widths, metric)
        for index in order:
            wider = widths | {coupling.groups[index].name: widths[coupling.groups[index].name] + 1}
            if measure("vgg11", wider, metric) > room:
                break
            widths = wider
        assert widths == allocate.allocate(order, coupling, Budget(metric=metric, keep=keep), FLOOR)
        assert np.bincount(order).sum() == len(order)
