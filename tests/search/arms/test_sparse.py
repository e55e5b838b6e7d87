"""A method's parent: one for each method, trained the way that method asks."""

from __future__ import annotations

from espalier.models.network import dense
from espalier.search.arms.base import Planned
from espalier.search.arms.dense import Dense
from espalier.search.arms.sparse import Sparse, parent_of
from espalier.search.methods.slimming import INITIAL_SCALE, Slimming
from espalier.search.spec import JobSpec, MethodSpec
from tests.search.helpers import SLIMMING, TARGET, derivation, question

CONFIG = dense("resnet20", 10, (1, 32, 32), {"width": 0.25})
WEAK, STRONG = (MethodSpec(name="slimming", options={"strength": strength}) for strength in (1, 2))


def test_there_is_one_for_each_method_with_the_first_seed() -> None:
    spec = JobSpec(target=TARGET, methods=(WEAK, STRONG), seeds=(5, 2))
    assert [(one.origin, one.seed) for one in Sparse.plan(question(spec))] == [
        (Sparse(method=WEAK), 5),
        (Sparse(method=STRONG), 5),
    ]


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
    assert [one.origin for one in Sparse.plan(asked)] == [Sparse(method=SLIMMING)]
    assert [parent_of(method, asked) for method in spec.methods] == [
        Planned(Sparse(method=SLIMMING), 5, asked.recipe),
        Planned(Dense(), 5, asked.recipe),
        Planned(Dense(), 5, asked.recipe),
    ]
