"""Lottery tickets: the weights that win, set back to where they began (Frankle & Carbin 2019, strategy 1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.arms.dense import dense_of
from espalier.search.arms.pretrained import start_of, ticket_recipe
from espalier.search.question import Question
from espalier.search.spec import Init, TicketRates

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Ticket(Origin):
    """The ticket of one round: what magnitude leaves of the round before, from its own first weights."""

    kind: Literal["ticket"] = "ticket"
    role: ClassVar[Role] = "automatic"
    init: ClassVar[Init] = "rewound"
    rates: TicketRates
    round: int

    @property
    def detail(self) -> str:
        """The round."""
        return f"round {self.round}"

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Every round for every seed; each round needs the one before."""
        if (tickets := question.spec.tickets) is not None:
            for seed in question.spec.all_seeds:
                yield from tickets_of(question, tickets.rates, seed, tickets.rounds)

    def derive(self, given: Derivation) -> Start:
        """The mask of this round, over the first weights, or those after so many steps."""
        mask = given.ticket(self.rates, self.round)
        return given.rewound(mask, "start" if self.rates.rewind_steps else None)


def tickets_of(question: Question, rates: TicketRates, seed: int, rounds: int) -> list[Planned]:
    """The ticket of every round, each from the one before; the first from the dense network."""
    recipe, starts, found = ticket_recipe(question, rates), start_of(question, rates, seed), [dense_of(question, seed)]
    for number in range(1, rounds + 1):
        needs = {"parent": found[-1], **starts}
        found.append(Planned(Ticket(rates=rates, round=number), seed, recipe, needs))
    return found[1:]
