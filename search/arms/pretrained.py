"""The first steps of the dense network's training: where late rewinding sets tickets back to (Frankle et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.arms.ways import dense_recipe
from espalier.search.question import Question
from espalier.search.recipe import Recipe
from espalier.search.spec import TicketRates

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Pretrained(Origin):
    """The dense network after a few steps. It is no point of the front."""

    kind: Literal["pretrained"] = "pretrained"
    role: ClassVar[Role] = "parent"

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """One for each seed, if tickets are rewound to later than the start."""
        if (tickets := question.spec.tickets) is not None:
            for seed in question.spec.all_seeds:
                yield from start_of(question, tickets.rates, seed).values()

    def derive(self, given: Derivation) -> Start:
        """Fresh weights."""
        return given.fresh()


def start_of(question: Question, rates: TicketRates, seed: int) -> Mapping[str, Planned]:
    """What tickets of a seed are rewound to, if it is later than the start."""
    if not rates.rewind_steps:
        return {}
    recipe = dense_recipe(question).model_copy(update={"last_step": rates.rewind_steps})
    return {"start": Planned(Pretrained(), seed, recipe)}


def ticket_recipe(question: Question, rates: TicketRates) -> Recipe:
    """How tickets are trained: like the dense network, from the step on that they are rewound to."""
    return dense_recipe(question).model_copy(update={"first_step": rates.rewind_steps})
