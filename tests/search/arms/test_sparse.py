"""A method's parent: one for each method, trained the way that method asks."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from espalier.models.document import content_hash
from espalier.models.network import dense
from espalier.search.arms.base import Planned
from espalier.search.arms.dense import Dense
from espalier.search.arms.sparse import Sparse, parent_of
from espalier.search.methods.slimming import INITIAL_SCALE, Slimming
from espalier.search.spec import Budget, JobSpec, MethodSpec, Ratios
from tests.search.helpers import SLIMMING, TARGET, derivation, question

CONFIG = dense("resnet20", 10, (1, 32, 32), {"width": 0.25})
WEAK, STRONG = (MethodSpec(name="slimming", options={"strength": strength}) for strength in (1, 2))


def test_there_is_one_for_each_method_and_seed_or_for_the_first_seed_alone() -> None:
    spec = JobSpec(target=TARGET, methods=(WEAK, STRONG), seeds=(5, 2))
    for parents, seeds in (("per_seed", (5, 2)), ("one", (5,))):
        asked = question(spec.model_copy(update={"parents": parents}))
        found = [(one.seed, one.origin) for one in Sparse.plan(asked)]
        assert found == [*product(seeds, [Sparse(method=WEAK), Sparse(method=STRONG)])]


def test_it_starts_as_its_method_prepares_it_and_is_trained_under_it() -> None:
    start = Sparse(method=STRONG).derive(derivation(CONFIG))
    assert isinstance(start.method, Slimming)
    assert start.method.options.strength == 2
    assert start.network.is_dense
    names = start.network.coupling.with_role("scale")
    assert all(bool((start.network.module.get_parameter(name) == INITIAL_SCALE).all()) for name in names)


def test_its_name_says_whose_parent_it_is() -> None:
    assert Sparse(method=STRONG).name == "slimming strength=2 parent"


def test_methods_that_train_their_parent_like_any_network_read_the_dense_one() -> None:
    spec = JobSpec(
        target=TARGET, methods=(SLIMMING, MethodSpec(name="taylor"), MethodSpec(name="l1_norm")), seeds=(5, 2)
    )
    asked = question(spec).model_copy(update={"plain": ("l1_norm", "taylor")})
    assert [one.origin for one in Sparse.plan(asked)] == [Sparse(method=SLIMMING)] * 2
    assert [parent_of(method, asked, 5) for method in spec.methods] == [
        Planned(Sparse(method=SLIMMING), 5, asked.recipe),
        Planned(Dense(), 5, asked.recipe),
        Planned(Dense(), 5, asked.recipe),
    ]


def test_methods_that_differ_in_how_they_rank_alone_share_a_parent() -> None:
    """As validation notes it; the networks that are cut from it are each method's own."""
    largest = MethodSpec(name="slimming", options={"across": "max"})
    asked = question(JobSpec(target=TARGET, methods=(SLIMMING, largest), seeds=(5, 2)))
    assert len([*Sparse.plan(asked)]) == 4
    asked = asked.model_copy(update={"trained_as": {content_hash(largest): SLIMMING}})
    assert [one.origin for one in Sparse.plan(asked)] == [Sparse(method=SLIMMING)] * 2
    assert parent_of(largest, asked, 5) == parent_of(SLIMMING, asked, 5)


TWICE = MethodSpec(name="slimming", options={"passes": 2})


def test_passes_are_a_chain_of_parents() -> None:
    asked = question(JobSpec(target=TARGET, methods=(TWICE,), seeds=(5,)))
    (last,) = Sparse.plan(asked)
    first = last.needs["parent"]
    assert (last.origin.passed, last.origin.detail, last.origin.budgets) == (1, "pass 2", asked.spec.budgets)
    assert (first.origin, first.needs) == (Sparse(method=TWICE), {})
    assert parent_of(TWICE, asked, 5) == last
    assert Sparse(method=SLIMMING).detail == ""


def test_a_later_pass_goes_on_without_the_channels_that_the_one_before_ranked_lowest() -> None:
    given = derivation(dense("vgg11", 10, (1, 32, 32), {"width": 0.25}))
    budget = Budget(metric="channels", keep=0.25)
    start = Sparse(method=TWICE, passed=1, budgets=(budget,)).derive(given)
    before, scores = given.parent("parent").network, given.scores(TWICE, "parent")
    mask = start.network.weight_mask
    assert mask is not None
    assert start.method is not None
    left = 0
    for group in given.dense.groups:
        (part,) = (part for part in group.slices if part.role == "scale")
        scale, kept = start.network.module.get_parameter(part.tensor).detach(), mask.kept[part.tensor]
        assert torch.equal(scale, before.module.get_parameter(part.tensor) * kept)
        least_kept = float(scores[group.name][kept].min())
        assert not (scores[group.name][~kept] > least_kept).any()
        left += int(kept.sum())
    assert left == sum(group.width for group in given.dense.groups) // 2


@pytest.mark.parametrize("passes", [2, 3])
def test_no_budget_needs_a_channel_that_an_earlier_pass_cut(passes: int) -> None:
    """The last parent ranks as the one before did: what it keeps for each budget is what it still has."""
    thrice = MethodSpec(name="slimming", options={"passes": passes})
    budgets = (
        Budget(metric="params", keep=0.5),
        Budget(metric="params", keep=0.05),
        Budget(metric="macs", keep=0.4),
        Budget(metric="channels", keep=0.3),
        Ratios(by="stage", ratios={"1": 0.7, "3": 0.1}),
    )
    given = derivation(dense("vgg11", 10, (1, 32, 32), {"width": 0.25}))
    for passed in range(1, passes):
        mask = Sparse(method=thrice, passed=passed, budgets=budgets).derive(given).network.weight_mask
        assert mask is not None
        wanted = [given.ranked(thrice, budget) for budget in budgets]
        for group in given.dense.groups:
            (part,) = (part for part in group.slices if part.role == "scale")
            left = mask.kept[part.tensor]
            assert not any((one.kept[group.name] & ~left).any() for one in wanted)
        assert not all(one.all() for one in mask.kept.values())
