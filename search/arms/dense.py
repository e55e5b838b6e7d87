"""The whole network, for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.arms.ways import dense_recipe
from espalier.search.question import Question
from espalier.search.spec import Init

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Dense(Origin):
    """The whole network."""

    kind: Literal["dense"] = "dense"
    role: ClassVar[Role] = "reference"

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """One for each seed."""
        for seed in question.spec.all_seeds:
            yield dense_of(question, seed)

    def derive(self, given: Derivation) -> Start:
        """Fresh weights."""
        return given.fresh()


def dense_of(question: Question, seed: int) -> Planned:
    """The dense network of a seed."""
    return Planned(Dense(), seed, dense_recipe(question))


def teacher_of(init: Init, question: Question, seed: int) -> Mapping[str, Planned]:
    """What networks of a seed that begin in this way need besides a parent: the dense network, if it teaches them."""
    return {"teacher": dense_of(question, question.parent_seed(seed))} if init == "distilled" else {}
