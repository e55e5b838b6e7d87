"""The best of some random widths: what a search without any method finds with the compute of a method's parent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from espalier.search.arms.base import Planned
from espalier.search.arms.baseline import Baseline
from espalier.search.arms.random_draw import draws_of
from espalier.search.question import Question

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class RandomBest(Baseline):
    """The best on the hold-out of as many random widths as cost what a method's parent does, trained anew."""

    kind: Literal["random_best"] = "random_best"

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Like every baseline, but each once its seed's draws have come to an end."""
        for one in super().plan(question):
            yield one._replace(best_of=draws_of(question, one.origin.budget, one.seed))

    def derive(self, given: Derivation) -> Start:
        """Fresh weights in the widths of the best draw."""
        return given.alike("best")
