"""The ways to a network that arms choose among."""

from __future__ import annotations

import pytest
import torch

from espalier.models.config import ChannelMask
from espalier.models.network import build, dense
from espalier.models.self_check import random_mask
from espalier.models.tensors import state_of
from espalier.search import allocate
from espalier.search.derivation import Start
from espalier.search.errors import SpecError, UnknownName
from espalier.search.spec import Budget, MethodSpec, Ratios
from tests.search.helpers import SLIMMING, derivation

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
BUDGET = Budget(metric="macs", keep=0.4)


def same(one: Start, net: torch.nn.Module) -> bool:
    ours, theirs = state_of(one.network.module), state_of(net)
    return ours.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_fresh_weights_are_those_of_the_seed() -> None:
    given = derivation(CONFIG, seed=6)
    mask = random_mask(given.dense.groups, 0)
    assert same(given.fresh(), build(CONFIG, 6))
    cut = given.fresh(mask)
    assert cut.network.config.widths == mask.widths
    assert same(cut, build(cut.network.config, 6))


def test_a_parent_is_prepared_and_comes_with_its_method() -> None:
    start = derivation(CONFIG).sparse(SLIMMING)
    assert start.method is not None
    assert start.network.is_dense
    with pytest.raises(UnknownName, match="no pruning method 'magic'"):
        derivation(CONFIG).sparse(MethodSpec(name="magic"))


def test_equal_rates_are_uniform_widths() -> None:
    given = derivation(CONFIG)
    order = allocate.uniform(given.dense.groups, 0.1)
    widths = allocate.allocate(order, given.dense.coupling, BUDGET, 0.1)
    assert given.by_rates([1.0] * len(given.dense.groups), BUDGET).network.config.widths == widths


def test_the_minimum_keep_holds_everywhere() -> None:
    given = derivation(CONFIG, minimum_keep=0.5)
    groups = given.dense.groups
    for widths in (
        given.by_rates([1.0] * len(groups), Budget(metric="channels", keep=0.6)).network.config.widths,
        given.ranked(SLIMMING, Budget(metric="channels", keep=0.6)).widths,
        given.ranked(SLIMMING, Ratios(by="stage", ratios={"0": 0.1})).widths,
    ):
        assert all(widths[group.name] >= group.width / 2 for group in groups)
    with pytest.raises(SpecError, match=r"with at least 0\.5 of each group's channels"):
        given.ranked(SLIMMING, Budget(metric="channels", keep=0.3))


def test_a_method_that_is_given_its_widths_shares_a_budget_out_evenly() -> None:
    given, found = derivation(CONFIG), {}
    for name in ("l1_norm", "slimming"):
        found[name] = given.ranked(MethodSpec(name=name), BUDGET)
    even = allocate.allocate(allocate.uniform(given.dense.groups, 0.1), given.dense.coupling, BUDGET, 0.1)
    assert found["l1_norm"].widths == even != found["slimming"].widths
    ratios = Ratios(by="stage", ratios={"0": 0.5})
    assert given.ranked(MethodSpec(name="l1_norm"), ratios).widths == allocate.by_ratios(
        given.dense.groups, ratios, 0.1
    )


def test_the_draw_says_which_channels_of_a_stream_are_read() -> None:
    given = derivation(dense("preresnet20", 10, (1, 32, 32), {"width": 0.25}))
    rates = [1.0] * len(given.dense.groups)
    configs = [given.by_rates(rates, BUDGET, draw).network.config for draw in (0, 0, 1)]
    assert configs[0] == configs[1]
    assert configs[0].widths == configs[2].widths
    assert configs[0].picks != configs[2].picks


def test_inherited_weights_compute_what_the_silenced_parent_does() -> None:
    given = derivation(CONFIG)
    mask = given.ranked(SLIMMING, BUDGET)
    x = torch.randn(2, *CONFIG.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        cut = given.inherited(SLIMMING, mask).network.module.eval()(x)
        silenced = given.parent("parent").network.silence(mask).module.eval()(x)
    assert torch.allclose(cut, silenced, rtol=1e-4, atol=1e-5)


def test_a_mask_of_everything_inherits_the_parent_itself() -> None:
    given = derivation(CONFIG)
    everything = ChannelMask({g.name: torch.ones(g.width, dtype=torch.bool) for g in given.dense.groups})
    assert same(given.inherited(SLIMMING, everything), given.parent("parent").network.module)
