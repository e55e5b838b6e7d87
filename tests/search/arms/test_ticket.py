"""Tickets: each round from the one before, over the seed's own first weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from espalier.models.network import dense
from espalier.search.arms.dense import Dense
from espalier.search.arms.pretrained import Pretrained
from espalier.search.arms.ticket import Ticket
from espalier.search.planners import create
from espalier.search.question import Question
from espalier.search.spec import JobSpec, TicketRates
from tests.search.helpers import derivation, question

CONFIG = dense("lenet300", 10, (1, 8, 8), {"width": 0.2})


def asked(**tickets: Any) -> Question:
    spec = {"target": {"arch": "lenet300", "dataset": "digits"}, "tickets": {"rounds": 3, **tickets}, "seeds": [5, 2]}
    return question(JobSpec.model_validate(spec))


def test_rounds_are_a_chain_that_begins_with_the_seeds_own_dense_network() -> None:
    for seed in (5, 2):
        planned = [one for one in Ticket.plan(asked()) if one.seed == seed]
        assert [one.origin.round for one in planned] == [1, 2, 3]
        assert planned[0].needs["parent"].origin == Dense()
        assert [one.needs["parent"].origin.round for one in planned[1:]] == [1, 2]
        assert {one.needs["parent"].seed for one in planned} == {seed}
        assert all(set(one.needs) == {"parent"} for one in planned)


def test_rewinding_to_later_needs_the_network_of_that_moment_and_trains_the_rest() -> None:
    for one in Ticket.plan(asked(rewind_steps=7)):
        start = one.needs["start"]
        assert (start.origin, start.seed, start.recipe.last_step) == (Pretrained(), one.seed, 7)
        assert (one.recipe.first_step, one.recipe.last_step) == (7, None)


def test_a_chain_is_planned_once_and_in_order() -> None:
    candidates = create(asked(controls=[])).next({})
    assert len(candidates) == 2 * (1 + 3)
    place = {one.key: index for index, one in enumerate(candidates)}
    assert all(place[key] < place[one.key] for one in candidates for key in one.needs.values())


def test_more_rounds_or_other_controls_leave_the_earlier_ones_as_they_are() -> None:
    few, many = (
        {one.key for one in create(asked(**changes)).next({})}
        for changes in ({"controls": []}, {"rounds": 5, "controls": ["reinit"]})
    )
    assert few < many


def test_the_weights_are_the_seeds_first_ones_where_the_mask_keeps_them() -> None:
    given = derivation(CONFIG, seed=3)
    network = Ticket(rates=TicketRates(), round=2).derive(given).network
    mask, first = network.weight_mask, given.dense.fresh(3).module
    assert mask is not None
    for name, kept in mask.kept.items():
        assert torch.equal(network.module.get_parameter(name), first.get_parameter(name) * kept)
    assert torch.equal(network.module.get_parameter("fc1.bias"), first.get_parameter("fc1.bias"))


def test_late_rewinding_goes_back_to_the_network_of_that_moment() -> None:
    given = derivation(CONFIG, seed=3)
    network = Ticket(rates=TicketRates(rewind_steps=5), round=1).derive(given).network
    assert network.weight_mask is not None
    kept = network.weight_mask.kept["fc1.weight"]
    start = given.parent("start").network.module.get_parameter("fc1.weight")
    assert torch.equal(network.module.get_parameter("fc1.weight"), start * kept)


def test_a_job_of_tickets_alone_asks_for_nothing_else() -> None:
    spec = asked().spec
    assert spec.methods == spec.budgets == spec.baselines == ()
    both = JobSpec.model_validate(
        {**spec.model_dump(), "budgets": [{"metric": "params", "keep": 0.5}], "baselines": ["uniform"]}
    )
    assert len(both.budgets) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scope": "global", "conv_cut": 0.1}, "at one rate: leave conv_cut out"),
        ({"grain": "channel", "output_cut": 0.1}, "leave conv_cut and output_cut out"),
        ({"grain": "channel", "scope": "global"}, "leave scope and layers out"),
        ({"grain": "channel", "layers": "conv"}, "leave scope and layers out"),
        ({"scope": "global", "output_cut": 0.5}, r"output_cut is 0 where .* or as large as cut \(0\.2\)"),
        ({"cut": 0.0}, "greater than 0"),
        ({"cut": 1.0}, "less than 1"),
        ({"rounds": 0}, "greater than or equal to 1"),
        ({"controls": ["reinit", "luck"]}, "Input should be"),
    ],
)
def test_what_makes_no_tickets_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        asked(**changes)
