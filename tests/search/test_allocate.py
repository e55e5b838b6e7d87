"""Budgets: never exceeded, used up to the last channel that fits, nested, and untroubled by ties."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espalier.models.config import ChannelGroup, minimum_width
from espalier.models.network import Network, dense
from espalier.search import allocate
from espalier.search.errors import SpecError
from espalier.search.scores import top
from espalier.search.spec import Budget, CostMetric, Ratios

LEAST = 0.1
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
        return allocate.by_scores(groups, {g.name: torch.rand(g.width, generator=generator) for g in groups}, LEAST)
    if kind == "tied":
        return allocate.by_scores(groups, {g.name: torch.zeros(g.width) for g in groups}, LEAST)
    return allocate.uniform(groups, LEAST) if kind == "uniform" else at_random(name, seed)


def at_random(name: str, draw: int) -> Any:
    groups = NETS[name].groups
    return allocate.by_rates(groups, [*np.random.default_rng(draw).uniform(0.1, 1.0, len(groups))], LEAST)


def measure(name: str, widths: dict[str, int], metric: CostMetric) -> int:
    if metric == "channels":
        return sum(widths.values())
    return int(getattr(NETS[name].cost(widths), metric))


@everywhere
def test_a_budget_is_met_exactly(name: str, kind: str, metric: CostMetric, keep: float, seed: int) -> None:
    coupling, order = NETS[name], order_of(kind, name, seed)
    widths = allocate.allocate(order, coupling, Budget(metric=metric, keep=keep), LEAST)
    room = keep * measure(name, coupling.widths, metric) * (1 + 1e-9)
    assert measure(name, widths, metric) <= room
    taken = sum(widths.values()) - int(allocate.minimum_widths(coupling.groups, LEAST).sum())
    if taken < len(order):
        following = coupling.groups[order[taken]].name
        assert measure(name, widths | {following: widths[following] + 1}, metric) > room
    assert all(
        least <= widths[g.name] <= g.width
        for g, least in zip(coupling.groups, allocate.minimum_widths(coupling.groups, LEAST), strict=True)
    )


@everywhere
def test_a_smaller_budget_keeps_a_part_of_a_larger_ones(
    name: str, kind: str, metric: CostMetric, keep: float, seed: int
) -> None:
    coupling, order = NETS[name], order_of(kind, name, seed)
    small, large = (
        allocate.allocate(order, coupling, Budget(metric=metric, keep=k), LEAST) for k in (keep, (1 + keep) / 2)
    )
    assert all(small[group] <= large[group] for group in small)
    scores = {g.name: torch.rand(g.width, generator=torch.Generator().manual_seed(seed)) for g in coupling.groups}
    masks = [top(coupling.groups, scores, widths).kept for widths in (small, large)]
    assert all(bool((masks[1][group] | ~masks[0][group]).all()) for group in small)


@everywhere
def test_the_whole_budget_is_the_whole_network(
    name: str, kind: str, metric: CostMetric, keep: float, seed: int
) -> None:
    del keep
    whole = allocate.allocate(order_of(kind, name, seed), NETS[name], Budget(metric=metric, keep=1.0), LEAST)
    assert whole == NETS[name].widths


def test_the_channels_that_stay_are_those_with_the_highest_scores() -> None:
    groups = NETS["vgg11"].groups
    scores = {g.name: torch.rand(g.width, generator=torch.Generator().manual_seed(i)) for i, g in enumerate(groups)}
    order = allocate.by_scores(groups, scores, LEAST)
    widths = allocate.allocate(order, NETS["vgg11"], Budget(metric="channels", keep=0.5), LEAST)
    masks = top(groups, scores, widths).kept
    least = dict(zip([g.name for g in groups], allocate.minimum_widths(groups, LEAST), strict=True))
    cut = torch.cat([scores[name][~mask] for name, mask in masks.items()])
    kept = [scores[n][m].sort(descending=True).values[least[n] :] for n, m in masks.items()]
    assert float(torch.cat(kept).min()) > float(cut.max())


def test_uniform_widths_are_one_share_of_every_group() -> None:
    coupling = NETS["vgg11"]
    widths = allocate.allocate(
        allocate.uniform(coupling.groups, LEAST), coupling, Budget(metric="params", keep=0.3), LEAST
    )
    shares = [widths[group.name] / group.width for group in coupling.groups]
    assert max(shares) - min(shares) <= 1 / min(group.width for group in coupling.groups)


def test_equal_scores_are_shared_out_evenly() -> None:
    coupling, budget = NETS["resnet20"], Budget(metric="macs", keep=0.4)
    tied = allocate.allocate(order_of("tied", "resnet20", 0), coupling, budget, LEAST)
    assert tied == allocate.allocate(allocate.uniform(coupling.groups, LEAST), coupling, budget, LEAST)


def test_random_widths_differ_between_draws_and_repeat_for_one() -> None:
    coupling, budget = NETS["vgg11"], Budget(metric="params", keep=0.3)
    drawn = [allocate.allocate(at_random("vgg11", draw), coupling, budget, LEAST) for draw in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_equal_rates_are_uniform_widths_whatever_they_are() -> None:
    groups = NETS["resnet20"].groups
    for rate in (0.1, 1.0, 3.0):
        order = allocate.by_rates(groups, [rate] * len(groups), LEAST)
        assert np.array_equal(order, allocate.uniform(groups, LEAST))


def test_a_group_of_twice_the_rate_keeps_twice_the_share() -> None:
    coupling = NETS["vgg11"]
    rates = [0.5 if index % 2 else 0.25 for index in range(len(coupling.groups))]
    order = allocate.by_rates(coupling.groups, rates, 0.01)
    widths = allocate.allocate(order, coupling, Budget(metric="channels", keep=0.4), 0.01)
    shares = [widths[group.name] / group.width / rate for group, rate in zip(coupling.groups, rates, strict=True)]
    assert max(shares) - min(shares) <= 1 / (min(rates) * min(group.width for group in coupling.groups))


def test_a_budget_below_the_minimum_widths_names_the_least_that_works() -> None:
    coupling, order = NETS["vgg11"], allocate.uniform(NETS["vgg11"].groups, LEAST)
    with pytest.raises(SpecError, match=r"no widths keep 0.001 of the params.* the network keeps 0\.\d+") as caught:
        allocate.allocate(order, coupling, Budget(metric="params", keep=0.001), LEAST)
    least = float(str(caught.value).partition("the network keeps ")[2].partition(";")[0])
    allocate.allocate(order, coupling, Budget(metric="params", keep=least), LEAST)
    with pytest.raises(SpecError):
        allocate.allocate(order, coupling, Budget(metric="params", keep=least * 0.98), LEAST)


def test_against_trying_every_cut() -> None:
    """The bisection finds what a walk along the ranking finds."""
    coupling = NETS["vgg11"]
    for metric, keep in itertools.product(("params", "macs", "channels"), (0.3, 0.6)):
        order = order_of("scores", "vgg11", 7)
        widths = dict(zip(coupling.widths, allocate.minimum_widths(coupling.groups, LEAST).tolist(), strict=True))
        room = keep * measure("vgg11", coupling.widths, metric)
        for index in order:
            wider = widths | {coupling.groups[index].name: widths[coupling.groups[index].name] + 1}
            if measure("vgg11", wider, metric) > room:
                break
            widths = wider
        assert widths == allocate.allocate(order, coupling, Budget(metric=metric, keep=keep), LEAST)
        assert np.bincount(order).sum() == len(order)


def test_groups_without_scores_are_cut_last() -> None:
    coupling = NETS["vgg11"]
    named = coupling.groups[:4]
    order = allocate.by_scores(coupling.groups, {g.name: torch.rand(g.width) for g in named}, LEAST)
    beyond = sum(g.width - minimum_width(g.width, LEAST) for g in coupling.groups[4:])
    assert set(order[:beyond].tolist()) == {4, 5, 6, 7}
    assert set(order[beyond:].tolist()) == {0, 1, 2, 3}


def stages(name: str) -> list[str]:
    return [*dict.fromkeys(str(group.stage) for group in NETS[name].groups)]


@pytest.mark.parametrize("name", sorted(NETS))
def test_ratios_thin_each_named_stage_and_nothing_else(name: str) -> None:
    groups, chosen = NETS[name].groups, stages(name)[1]
    widths = allocate.by_ratios(groups, Ratios(by="stage", ratios={chosen: 0.5}), LEAST)
    assert set(widths) == {group.name for group in groups}
    for group in groups:
        assert widths[group.name] == (group.width // 2 if str(group.stage) == chosen else group.width)


def test_ratios_by_group_are_rounded_down_and_never_below_the_minimum() -> None:
    groups = NETS["vgg11"].groups
    first, second = groups[0], groups[1]
    for share, keep in ((0.99, 0.1), (0.55, 0.1), (0.05, 0.3), (1e-6, 0.1)):
        widths = allocate.by_ratios(groups, Ratios(by="group", ratios={first.name: share}), keep)
        assert widths[first.name] == max(int(first.width * share), minimum_width(first.width, keep))
        assert widths[second.name] == second.width


@pytest.mark.parametrize("share", [0.29, 0.57, 0.58, 0.41])
def test_ratios_that_are_whole_channels_are_those(share: float) -> None:
    """100 * 0.57 is 56.99999999999999."""
    group = ChannelGroup("a", 100, 1, 0, ())
    assert allocate.by_ratios([group], Ratios(by="group", ratios={"a": share}), 0.1) == {"a": round(100 * share)}


def test_ratios_of_one_leave_the_network_whole() -> None:
    for name, coupling in NETS.items():
        ratios = Ratios(by="stage", ratios=dict.fromkeys(stages(name), 1.0))
        assert allocate.by_ratios(coupling.groups, ratios, LEAST) == coupling.widths
        assert allocate.as_cost(ratios, coupling, LEAST) == Budget(metric="params", keep=1.0)


@pytest.mark.parametrize("by", ["group", "stage"])
def test_a_ratio_of_what_is_not_there_lists_what_is(by: Any) -> None:
    coupling = NETS["vgg11"]
    there = ", ".join(coupling.widths) if by == "group" else ", ".join(stages("vgg11"))
    ratios = Ratios(by=by, ratios={"nowhere": 0.5, "elsewhere": 0.5})
    with pytest.raises(SpecError) as caught:
        allocate.by_ratios(coupling.groups, ratios, LEAST)
    assert str(caught.value) == f"no {by} 'elsewhere', 'nowhere'; there are: {there}"
    with pytest.raises(SpecError, match=f"no {by} 'elsewhere', 'nowhere'"):
        allocate.as_cost(ratios, coupling, LEAST)


@pytest.mark.parametrize("name", sorted(NETS))
@pytest.mark.parametrize("metric", ["params", "macs"])
def test_a_baseline_is_as_large_as_the_network_of_the_ratios(name: str, metric: Any) -> None:
    """Never larger, and the next channel would make it so."""
    coupling = NETS[name]
    ratios = Ratios(by="stage", ratios={stages(name)[0]: 0.7, stages(name)[-1]: 0.3}, metric=metric)
    wanted = measure(name, allocate.by_ratios(coupling.groups, ratios, LEAST), metric)
    budget = allocate.as_cost(ratios, coupling, LEAST)
    assert budget.metric == metric
    order = allocate.uniform(coupling.groups, LEAST)
    widths = allocate.allocate(order, coupling, budget, LEAST)
    assert measure(name, widths, metric) <= wanted
    taken = sum(widths.values()) - int(allocate.minimum_widths(coupling.groups, LEAST).sum())
    following = coupling.groups[order[taken]].name
    assert measure(name, widths | {following: widths[following] + 1}, metric) > wanted


def test_a_budget_is_its_own_cost() -> None:
    budget = Budget(metric="channels", keep=0.3)
    assert allocate.as_cost(budget, NETS["vgg11"], LEAST) is budget
