"""What tickets are held against: other first weights, other masks, other ways to find them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.arms.pretrained import start_of
from espalier.search.arms.ticket import tickets_of
from espalier.search.question import Question
from espalier.search.spec import Init, TicketControlName, TicketRates

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


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
            for seed in question.spec.all_seeds:
                won = tickets_of(question, tickets.rates, seed, tickets.rounds)
                found = [controls_of(question, variant, won) for variant in tickets.controls]
                for one in chain.from_iterable(zip(*found, strict=True)):
                    if one.origin.round > 1 or one.origin.variant not in ("one_shot", "continued"):
                        yield one

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


def controls_of(question: Question, variant: TicketControlName, tickets: Sequence[Planned]) -> list[Planned]:
    """A control of every ticket of a seed, with all that it needs."""
    rates, seed, recipe = tickets[0].origin.rates, tickets[0].seed, tickets[0].recipe
    starts = {} if variant in ("reinit", "lr_rewound") else start_of(question, rates, seed)
    if variant == "continued":
        parents = [tickets[0].needs["parent"], *controls_of(question, "lr_rewound", tickets)]
    else:
        parents = [(tickets[0] if variant == "one_shot" else one).needs["parent"] for one in tickets]
    found: list[Planned] = []
    for ticket, parent in zip(tickets, parents, strict=False):
        before = found[-1] if variant == "lr_rewound" and found else parent
        origin = TicketControl(variant=variant, rates=rates, round=ticket.origin.round)
        found.append(Planned(origin, seed, recipe, {"parent": before, **starts}))
    return found
