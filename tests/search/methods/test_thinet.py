"""ThiNet: both objectives against brute force, and factors against least squares."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from espalier.models.config import ChannelMask
from espalier.search.errors import SpecError
from espalier.search.methods.thinet import ThiNet, ThiNetOptions, least_squares, removal_order, selection_order
from tests.models.networks import Own
from tests.search.methods.helpers import cut_of, parent_of


def rows(seed: int, count: int = 40, width: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(width, width, generator=generator, dtype=torch.double)
    return torch.randn(count, width, generator=generator, dtype=torch.double) @ mixed


@pytest.mark.parametrize("seed", range(5))
def test_removal_is_greedy_over_what_is_gone_together(seed: int) -> None:
    x, gone = rows(seed), []
    for chosen in removal_order(x.T @ x):
        costs = {c: float(x[:, [*gone, c]].sum(1).square().sum()) for c in range(6) if c not in gone}
        assert costs[chosen] == pytest.approx(min(costs.values()))
        gone.append(chosen)
    assert sorted(gone) == list(range(6))


@pytest.mark.parametrize("seed", range(5))
def test_the_first_channel_that_goes_is_the_best_of_all(seed: int) -> None:
    x = rows(seed)
    best = min(range(6), key=lambda c: float(x[:, c].square().sum()))
    assert removal_order(x.T @ x)[0] == best


@pytest.mark.parametrize("seed", range(5))
def test_selection_takes_what_explains_most_of_what_is_left(seed: int) -> None:
    x, kept = rows(seed), []
    target = x.sum(1)
    for chosen in selection_order(x.T @ x)[::-1]:
        residual = target
        if kept:
            residual = target - x[:, kept] @ torch.linalg.lstsq(x[:, kept], target[:, None]).solution.flatten()
        left = {}
        for c in set(range(6)) - {*kept}:
            factor = (x[:, c] @ residual) / (x[:, c] @ x[:, c])
            left[c] = float((residual - factor * x[:, c]).square().sum())
        assert left[chosen] == pytest.approx(min(left.values()), abs=1e-6)
        kept.append(chosen)


def test_factors_are_those_of_least_squares_and_of_the_smallest_where_columns_are_alike() -> None:
    x, kept = rows(3), torch.tensor([True, False, True, True, False, True])
    expected = torch.linalg.lstsq(x[:, kept], x.sum(1, keepdim=True)).solution.flatten()
    assert torch.allclose(least_squares(x.T @ x, kept), expected)
    twins = x.clone()
    twins[:, 2] = twins[:, 0]
    factors = least_squares(twins.T @ twins, kept)
    assert float(factors[0]) == pytest.approx(float(factors[1]), abs=1e-6)
    dead = torch.zeros(4, 4, dtype=torch.double)
    assert torch.equal(
        least_squares(dead, torch.tensor([True, True, False, False])), torch.zeros(2, dtype=torch.double)
    )


def test_orders_have_every_channel_once_though_some_are_dead_or_alike() -> None:
    x = rows(1)
    x[:, 4], x[:, 2] = 0, x[:, 1]
    for order in (removal_order, selection_order):
        assert sorted(order(x.T @ x)) == list(range(6))
        assert order(x.T @ x)[0] in (4, 1, 2) if order is selection_order else order(x.T @ x)[0] == 4


@pytest.mark.parametrize("objective", ["remove", "keep"])
def test_factors_bring_the_next_layer_nearer_to_what_it_was(objective: str) -> None:
    torch.manual_seed(0)
    net = Own(
        lambda m, x: m.d(torch.cat([torch.relu(m.a(x)), m.b(x)], 1)),
        a=nn.Conv2d(1, 8, 3), b=nn.Conv2d(1, 6, 3), d=nn.Conv2d(14, 4, 2),
    ).double().eval()  # fmt: skip
    parent = parent_of(net, (1, 5, 5))
    method = ThiNet(ThiNetOptions(objective=objective, images=96, places=4))  # type: ignore[arg-type]
    mask = method.select(parent, method.score(parent), {"a": 4, "b": 3})
    errors = []
    for scaling in (False, True):
        cut = cut_of(parent, mask)
        chosen = ThiNet(ThiNetOptions(objective=objective, images=96, places=4, scaling=scaling))  # type: ignore[arg-type]
        chosen.repair(cut, parent, mask)
        with torch.no_grad():
            errors.append(sum(float((cut.module(b.inputs) - net(b.inputs)).square().sum()) for b in parent.batches(32)))
    assert errors[1] < errors[0]


def test_factors_of_a_layer_that_reads_blocks_are_exact_where_the_rest_can_say_it_all() -> None:
    """Channel 1 is twice channel 0: without it, the linear layer's outputs can be kept as they are."""
    net = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), nn.Flatten(), nn.Linear(48, 2)).double().eval()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, 2.0, -1.0]).view(3, 1, 1, 1))
        net[2].weight[:, 16:32] = net[2].weight[:, :16]
    parent = parent_of(net)
    mask = ChannelMask({"0": torch.tensor([True, False, True])})
    cut = cut_of(parent, mask)
    ThiNet(ThiNetOptions(images=96)).repair(cut, parent, mask)
    x = next(parent.batches(8)).inputs
    with torch.no_grad():
        assert torch.allclose(cut.module(x), net(x))


def test_a_network_in_which_no_layer_reads_a_group_is_refused() -> None:
    network = parent_of(nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 2, 1, padding_mode="reflect"))).network
    with pytest.raises(SpecError, match="thinet looks at the convolution or linear layer that reads a channel"):
        ThiNet(ThiNetOptions()).ranked(network)
