"""Ranking controls: the method's parent and budget, another ranking."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from espalier.models.network import dense
from espalier.models.tensors import state_of
from espalier.search.arms.control import Control
from espalier.search.arms.dense import Dense
from espalier.search.arms.pruned import Pruned
from espalier.search.arms.scored import Scored
from espalier.search.arms.sparse import Sparse
from espalier.search.methods import METHODS
from espalier.search.question import Question
from espalier.search.scores import top
from espalier.search.spec import Budget, JobSpec, MethodSpec, Ratios
from tests.search.helpers import SLIMMING, TARGET, derivation, question

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
BUDGET = Budget(metric="params", keep=0.3)
L1 = MethodSpec(name="l1_norm")


def asked(**changes: Any) -> Question:
    spec = JobSpec.model_validate(
        {"target": TARGET, "methods": (SLIMMING, L1), "budgets": (BUDGET,), "seeds": (5, 2), **changes}
    )
    return question(spec).model_copy(update={"plain": ("l1_norm",), "given": ("l1_norm",)})


def planned(**changes: Any) -> set[tuple[str, str, str]]:
    return {(one.origin.ranking, one.origin.method.name, one.origin.init) for one in Control.plan(asked(**changes))}


@pytest.mark.parametrize(
    ("control", "scratch", "inherited"),
    [
        ("reverse", {"slimming"}, {"slimming", "l1_norm"}),
        ("shuffled_across", {"slimming"}, {"slimming", "l1_norm"}),
        ("shuffled", set(), {"slimming", "l1_norm"}),
        ("no_penalty", {"slimming"}, {"slimming"}),
    ],
)
def test_a_control_is_planned_where_it_is_another_network(control: str, scratch: Any, inherited: Any) -> None:
    expected = {(control, name, "scratch") for name in scratch} | {(control, name, "inherited") for name in inherited}
    assert planned(controls=(control,), inits=("scratch", "inherited")) == expected
    assert planned(inits=("scratch", "inherited")) == set()


def test_where_ratios_give_the_widths_only_weights_can_tell() -> None:
    ratios = (Ratios(by="stage", ratios={"0": 0.5}),)
    assert planned(controls=("reverse",), budgets=ratios) == set()
    assert planned(controls=("reverse",), budgets=ratios, inits=("inherited",)) == {
        ("reverse", "slimming", "inherited"),
        ("reverse", "l1_norm", "inherited"),
    }


def test_it_reads_its_methods_parent_and_without_a_penalty_the_dense_network() -> None:
    for parents in ("per_seed", "one"):
        for one in Control.plan(asked(controls=("reverse", "no_penalty"), parents=parents)):
            (parent,) = one.needs.values()
            expected = Dense() if one.origin.ranking == "no_penalty" else Sparse(method=SLIMMING)
            assert (parent.origin, parent.seed) == (expected, one.seed if parents == "per_seed" else 5)


def test_the_reverse_keeps_the_channels_that_the_method_would_cut_first() -> None:
    given = derivation(CONFIG, seed=2)
    ratios = Ratios(by="stage", ratios={str(stage): 0.5 for stage in range(5)})
    own, turned = (given.ranked(SLIMMING, ratios, control) for control in (None, "reverse"))
    halves = [group.name for group in given.dense.groups if 2 * own.widths[group.name] == group.width]
    assert halves
    for name in halves:
        assert torch.equal(own.kept[name], ~turned.kept[name])


@pytest.mark.parametrize("control", ["reverse", "shuffled", "shuffled_across"])
def test_a_method_that_selects_in_a_way_of_its_own_does_not_when_it_is_controlled(
    control: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def select(_self: Any, parent: Any, _scores: Any, widths: Any) -> Any:
        return top(parent.network.groups, {}, widths)

    given, ratios = derivation(CONFIG, seed=2), Ratios(by="stage", ratios={str(stage): 0.5 for stage in range(5)})
    before = given.ranked(SLIMMING, ratios, control)
    monkeypatch.setattr(METHODS["slimming"], "select", select)
    after = given.ranked(SLIMMING, ratios, control)
    assert all(torch.equal(after.kept[name], kept) for name, kept in before.kept.items())
    own = given.ranked(SLIMMING, ratios)
    assert any(not torch.equal(own.kept[name], kept) for name, kept in before.kept.items())


@pytest.mark.parametrize("control", ["reverse", "shuffled", "shuffled_across", "no_penalty"])
def test_its_network_is_that_of_its_ranking_and_start(control: Any) -> None:
    given = derivation(CONFIG, seed=2)
    mask = given.ranked(SLIMMING, BUDGET, control)
    scratch, inherited = (
        Control(ranking=control, method=SLIMMING, budget=BUDGET, init=init).derive(given).network  # type: ignore[arg-type]
        for init in ("scratch", "inherited")
    )
    assert scratch.config.widths == inherited.config.widths == mask.widths
    expected = state_of(given.parent("parent").network.prune(mask).module)
    assert all(torch.equal(value, expected[name]) for name, value in state_of(inherited.module).items())
    same = control in ("shuffled", "no_penalty")  # here, the parent is the same
    own = Pruned(method=SLIMMING, budget=BUDGET).derive(given).network
    assert (scratch.config.widths == own.config.widths) is same


def test_inherited_weights_are_fine_tuned_like_the_methods() -> None:
    ask = asked(controls=("reverse",), inits=("scratch", "inherited"))
    kinds: tuple[type[Scored], ...] = (Control, Pruned)
    ours, theirs = (
        {(str(each.origin.method), each.origin.init): each.recipe for each in kind.plan(ask)} for kind in kinds
    )
    assert ours
    assert ours.items() <= theirs.items()
    one = Control(ranking="reverse", method=SLIMMING, budget=BUDGET)
    assert (one.name, one.model_copy(update={"init": "inherited"}).name) == (
        "slimming reverse",
        "slimming reverse inherited",
    )
