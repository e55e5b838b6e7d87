"""The whole network, for comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.question import Question

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Dense(Origin):
    """The whole network."""

    kind: Literal["dense"] = "dense"
    role: ClassVar[Role] = "reference"

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """One for each seed."""
        for seed in question.spec.seeds:
            yield Planned(cls(), seed)

    def derive(self, given: Derivation) -> Start:
        """Fresh weights."""
        return given.fresh()
