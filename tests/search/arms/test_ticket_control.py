"""Controls of tickets: as sparse, but with other weights, other masks, or found another way."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from espalier.models.network import dense
from espalier.search.arms.dense import Dense
from espalier.search.arms.ticket import Ticket
from espalier.search.arms.ticket_control import TicketControl
from espalier.search.question import Question
from espalier.search.spec import JobSpec, TicketControlName, TicketRates
from tests.search.helpers import derivation, question

CONFIG = dense("lenet300", 10, (1, 8, 8), {"width": 0.2})
VARIANTS = get_args(TicketControlName)


def asked(*controls: str, **tickets: Any) -> Question:
    wanted = {"rounds": 3, "controls": controls, **tickets}
    spec = {"target": {"arch": "lenet300", "dataset": "digits"}, "tickets": wanted, "seeds": [5]}
    return question(JobSpec.model_validate(spec))


def parents(variant: str) -> list[Any]:
    return [one.needs["parent"].origin for one in TicketControl.plan(asked(variant))]


def test_the_same_mask_is_read_from_the_same_network() -> None:
    theirs = [one.needs["parent"].origin for one in Ticket.plan(asked())]
    for variant in ("reinit", "random", "random_across"):
        assert parents(variant) == theirs


def test_one_shot_reads_the_dense_network_and_is_no_other_in_the_first_round() -> None:
    assert parents("one_shot") == [Dense(), Dense()]


def test_continued_training_is_a_chain_of_its_own() -> None:
    chain = parents("lr_rewound")
    assert chain[0] == Dense()
    assert [(one.variant, one.round) for one in chain[1:]] == [("lr_rewound", 1), ("lr_rewound", 2)]
    assert parents("continued") == chain[1:], "in the first round it is the ticket"


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_as_sparse_as_the_ticket_of_its_round(variant: Any) -> None:
    given, rates = derivation(CONFIG, seed=3), TicketRates()
    ours = TicketControl(variant=variant, rates=rates, round=3).derive(given).network
    theirs = Ticket(rates=rates, round=3).derive(given).network
    assert ours.counted.params == theirs.counted.params
    same_mask = ours.config.mask == theirs.config.mask
    assert same_mask == (variant not in ("random", "random_across"))
    if variant != "random_across":
        assert ours.weight_mask is not None
        assert theirs.weight_mask is not None
        assert ours.weight_mask.densities == theirs.weight_mask.densities


def test_other_first_weights_are_no_seeds_own() -> None:
    rates = TicketRates()
    drawn = []
    for seed in (0, 1, 2**31 - 1):
        given = derivation(CONFIG, seed=seed)
        for kind in (Ticket(rates=rates, round=1), TicketControl(variant="reinit", rates=rates, round=1)):
            drawn.append(kind.derive(given).network.module.get_parameter("fc1.weight").detach())
    equal = [torch.equal(a, b) for index, a in enumerate(drawn) for b in drawn[:index]]
    assert not any(equal)


def test_only_the_learning_rate_is_set_back_where_weights_go_on() -> None:
    given = derivation(CONFIG, seed=3)
    network = TicketControl(variant="lr_rewound", rates=TicketRates(), round=1).derive(given).network
    trained = given.parent("parent").network.module.get_parameter("fc1.weight")
    assert network.weight_mask is not None
    assert torch.equal(network.module.get_parameter("fc1.weight"), trained * network.weight_mask.kept["fc1.weight"])


def test_its_start_says_how_it_began() -> None:
    inits = {v: TicketControl(variant=v, rates=TicketRates(), round=1).init for v in VARIANTS}
    assert inits == {
        "reinit": "scratch", "lr_rewound": "inherited", "random": "rewound", "random_across": "rewound",
        "one_shot": "rewound", "continued": "rewound",
    }  # fmt: skip
