"""What tickets are held against: other first weights, other masks, other ways to find them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.arms.dense import dense_of
from espalier.search.arms.pretrained import start_of, ticket_recipe
from espalier.search.arms.ticket import ticket_of
from espalier.search.question import Question
from espalier.search.spec import Init, TicketControlName, TicketRates

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start

AS_TICKETS = frozenset({"reinit", "random", "random_across"})
"""Those that read the same network as the ticket of their round."""


class TicketControl(Origin):
    """A network as sparse as the ticket of its round."""

    kind: Literal["ticket_control"] = "ticket_control"
    role: ClassVar[Role] = "baseline"
    variant: TicketControlName
    rates: TicketRates
    round: int

    @property
    def name(self) -> str:
        """What was done otherwise."""
        return self.variant

    @property
    def detail(self) -> str:
        """The round."""
        return f"round {self.round}"

    @property
    def init(self) -> Init:
        """How its weights began."""
        found: dict[str, Init] = {"reinit": "scratch", "lr_rewound": "inherited"}
        return found.get(self.variant, "rewound")

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Every control of every round for every seed, but those of the first round that are its ticket."""
        if (tickets := question.spec.tickets) is not None:
            numbers = range(1, tickets.rounds + 1)
            for seed, number, variant in product(question.spec.all_seeds, numbers, tickets.controls):
                if number > 1 or variant not in ("one_shot", "continued"):
                    yield control_of(question, variant, tickets.rates, seed, number)

    def derive(self, given: Derivation) -> Start:
        """Its mask over its weights."""
        start, mask = "start" if self.rates.rewind_steps else None, given.ticket(self.rates, self.round)
        if self.variant == "reinit":
            return given.redrawn(mask)
        if self.variant == "lr_rewound":
            return given.rewound(mask, "parent")
        if self.variant in ("random", "random_across"):
            drawn = given.random_ticket(self.rates, self.round, across=self.variant == "random_across")
            return given.rewound(drawn, start)
        return given.rewound(mask, start)


def control_of(question: Question, variant: TicketControlName, rates: TicketRates, seed: int, number: int) -> Planned:
    """A control of a round, with all that it needs."""
    if variant in AS_TICKETS:
        parent = ticket_of(question, rates, seed, number).needs["parent"]
    elif variant == "one_shot" or number == 1:
        parent = dense_of(question, seed)
    else:
        parent = control_of(question, "lr_rewound", rates, seed, number - 1)
    starts = {} if variant in ("reinit", "lr_rewound") else start_of(question, rates, seed)
    origin = TicketControl(variant=variant, rates=rates, round=number)
    return Planned(origin, seed, ticket_recipe(question, rates), {"parent": parent, **starts})
