"""Where late rewinding goes back to: the dense network's own first steps."""

from __future__ import annotations

import torch

from espalier.models.network import dense
from espalier.models.tensors import state_of
from espalier.search.arms.pretrained import Pretrained, start_of, ticket_recipe
from espalier.search.arms.ways import dense_recipe
from espalier.search.spec import JobSpec, TicketRates
from tests.search.helpers import derivation, question

ASKED = question(JobSpec.model_validate({"target": {"arch": "vgg11", "dataset": "digits"}, "tickets": {}}))


def test_there_is_one_for_each_seed_if_tickets_go_back_to_later_than_the_start() -> None:
    assert [*Pretrained.plan(ASKED)] == []
    spec = ASKED.spec.model_copy(update={"tickets": {"rewind_steps": 4}})
    late = ASKED.model_copy(update={"spec": spec})
    assert [(one.seed, one.recipe.last_step) for one in Pretrained.plan(late)] == [(0, 4), (1, 4), (2, 4)]


def test_it_is_trained_as_the_dense_network_is_so_far() -> None:
    (start,) = start_of(ASKED, TicketRates(rewind_steps=9), 5).values()
    assert start.recipe == dense_recipe(ASKED).model_copy(update={"last_step": 9})
    assert ticket_recipe(ASKED, TicketRates(rewind_steps=9)) == dense_recipe(ASKED).model_copy(update={"first_step": 9})
    assert ticket_recipe(ASKED, TicketRates()) == dense_recipe(ASKED)


def test_it_begins_as_the_dense_network_does() -> None:
    given = derivation(dense("vgg11", 10, (1, 32, 32), {"width": 0.1}), seed=4)
    ours, theirs = (state_of(one.module) for one in (Pretrained().derive(given).network, given.dense.fresh(4)))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
