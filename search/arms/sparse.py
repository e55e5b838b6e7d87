"""The whole network, trained the way a pruning method asks: the parent of what the method prunes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from espalier.models.document import content_hash
from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.arms.dense import dense_of
from espalier.search.arms.ways import dense_recipe
from espalier.search.question import Question
from espalier.search.spec import Budget, MethodSpec, Ratios

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Sparse(Origin):
    """A method's trained parent. It is no point of the front."""

    kind: Literal["sparse"] = "sparse"
    role: ClassVar[Role] = "parent"
    method: MethodSpec
    passed: int = Field(default=0, exclude_if=lambda passed: not passed, description="passes before this one")
    budgets: tuple[Budget | Ratios, ...] = Field(
        default=(), exclude_if=lambda budgets: not budgets, description="what a later pass is on the way to"
    )

    @property
    def name(self) -> str:
        """The method with its options."""
        return f"{self.method} parent"

    @property
    def detail(self) -> str:
        """The pass, where there are several."""
        return f"pass {self.passed + 1}" if self.method.passes > 1 else ""

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """One for each method that asks for anything and each seed, or the first alone."""
        methods = {content_hash(one): one for one in map(question.parent_method, question.spec.methods)}
        for seed, method in product(question.spec.all_seeds, methods.values()):
            if question.has_own_parent(method) and seed == question.parent_seed(seed):
                yield parent_of(method, question, seed)

    def derive(self, given: Derivation) -> Start:
        """Fresh weights, as the method wants them; in a later pass, those of the one before, but for the channels that
        it ranked lowest."""
        if not self.passed:
            return given.sparse(self.method)
        return given.narrowed(self.method, self.passed, self.budgets)


def parents_of(method: MethodSpec, question: Question, seed: int) -> Mapping[str, Planned]:
    """What must be trained before a method can score: its parent, unless that is not trained."""
    return {} if method.name in question.untrained else {"parent": parent_of(method, question, seed)}


def parent_of(method: MethodSpec, question: Question, seed: int) -> Planned:
    """What a method prunes for a seed: the dense network where it is trained no other way."""
    seed = question.parent_seed(seed)
    if not question.has_own_parent(method):
        return dense_of(question, seed)
    return _pass_of(question.parent_method(method), question, seed, method.passes - 1)


def _pass_of(method: MethodSpec, question: Question, seed: int, passed: int) -> Planned:
    before = {"parent": _pass_of(method, question, seed, passed - 1)} if passed else {}
    origin = Sparse(method=method, passed=passed, budgets=question.spec.budgets if passed else ())
    return Planned(origin, seed, dense_recipe(question), before)
