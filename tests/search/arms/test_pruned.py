"""Automatic widths: the parent's highest scores, from scratch or with its weights."""

from __future__ import annotations

import pytest
import torch

from espalier.models.network import build, dense
from espalier.models.tensors import state_of
from espalier.search import allocate
from espalier.search.arms.pruned import Pruned
from espalier.search.arms.sparse import Sparse
from espalier.search.errors import SpecError
from espalier.search.scores import top
from espalier.search.spec import Budget, JobSpec, MethodSpec, Ratios
from tests.search.helpers import SLIMMING, TARGET, derivation, question

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
BUDGET = Budget(metric="params", keep=0.3)
STRONG = MethodSpec(name="slimming", options={"strength": 2})


def test_every_method_budget_start_and_seed_is_one_and_reads_its_methods_parent() -> None:
    budgets = (BUDGET, Ratios(by="stage", ratios={"0": 0.5}))
    spec = JobSpec(
        target=TARGET, methods=(SLIMMING, STRONG), budgets=budgets, inits=("scratch", "inherited"), seeds=(5, 2)
    )
    planned = [*Pruned.plan(question(spec).model_copy(update={"selects": True}))]
    assert len(planned) == 2 * 2 * 2 * 2
    one_parent = [*Pruned.plan(question(spec.model_copy(update={"parents": "one"})))]
    assert {one.needs["parent"].seed for one in one_parent} == {5}
    for one in planned:
        (parent,) = one.needs.values()
        assert (set(one.needs), parent.origin, parent.seed) == ({"parent"}, Sparse(method=one.origin.method), one.seed)


def test_widths_are_those_of_the_highest_scores() -> None:
    given = derivation(CONFIG, seed=2)
    scores = given.scores(SLIMMING, "parent")
    order = allocate.by_scores(given.dense.groups, scores, 0.1)
    start = Pruned(method=SLIMMING, budget=BUDGET).derive(given)
    assert start.network.config.widths == allocate.allocate(order, given.dense.coupling, BUDGET, 0.1)
    assert start.method is None


def test_from_scratch_it_starts_with_fresh_weights_of_its_seed() -> None:
    start = Pruned(method=SLIMMING, budget=BUDGET).derive(derivation(CONFIG, seed=2))
    expected = build(start.network.config, 2).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in start.network.module.state_dict().items())


def test_inherited_weights_are_the_parents_in_the_channels_that_stay() -> None:
    given = derivation(CONFIG, seed=2)
    parent, scores = given.parent("parent"), given.scores(SLIMMING, "parent")
    start = Pruned(method=SLIMMING, budget=BUDGET, init="inherited").derive(given)
    mask = top(given.dense.groups, scores, start.network.config.widths)
    expected = state_of(parent.network.prune(mask).module)
    assert start.network.config == Pruned(method=SLIMMING, budget=BUDGET).derive(given).network.config
    assert all(torch.equal(value, expected[name]) for name, value in state_of(start.network.module).items())


def test_given_widths_keep_the_highest_scores_of_each_group() -> None:
    given, ratios = derivation(CONFIG), Ratios(by="stage", ratios={"0": 0.5, "2": 0.3})
    start = Pruned(method=SLIMMING, budget=ratios, init="inherited").derive(given)
    widths = allocate.by_ratios(given.dense.groups, ratios, 0.1)
    mask = top(given.dense.groups, given.scores(SLIMMING, "parent"), widths)
    assert start.network.config.widths == widths == mask.widths


def test_a_budget_that_no_widths_meet_says_so() -> None:
    with pytest.raises(SpecError, match=r"no widths keep 0.001 of the params"):
        Pruned(method=SLIMMING, budget=Budget(metric="params", keep=0.001)).derive(derivation(CONFIG))


def test_its_name_says_how_it_began() -> None:
    names = [
        Pruned(method=method, budget=BUDGET, init=init).name
        for method in (SLIMMING, STRONG)
        for init in ("scratch", "inherited")
    ]  # type: ignore[arg-type]
    assert names == ["slimming", "slimming inherited", "slimming strength=2", "slimming strength=2 inherited"]
