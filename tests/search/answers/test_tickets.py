"""Answers about tickets: against numbers worked out by hand, and never more than intervals support."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.models.config import Cost
from espalier.search.answers.tickets import TicketAnswer, tickets
from espalier.search.arms.dense import Dense
from espalier.search.arms.ticket import Ticket
from espalier.search.arms.ticket_control import TicketControl
from espalier.search.candidates import Candidate
from espalier.search.results import EarlyStop, Result, Sparsity
from espalier.search.spec import TicketRates
from tests.search.helpers import candidate, result

RATES = TicketRates()


def outcomes(
    name: str, number: int, values: list[float], steps: list[int] | None = None
) -> list[tuple[Candidate, Result]]:
    """Results over seeds of a ticket, a control, or the dense network (round 0)."""
    if number == 0:
        origin: Any = Dense()
    elif name == "ticket":
        origin = Ticket(rates=RATES, round=number)
    else:
        origin = TicketControl(variant=name, rates=RATES, round=number)
    found = []
    for seed, value in enumerate(values):
        one = candidate("dense", seed=seed).model_copy(update={"origin": origin})
        sparsity = Sparsity(nonzero=Cost(1, 1), density=0.8**number, layers={}) if number else None
        stop = None
        if steps:
            metrics = {"accuracy": value + 0.01}
            stop = EarlyStop(step=steps[seed], holdout=metrics, test=metrics)
        found.append((one, result(one, value, sparsity=sparsity, early=stop)))
    return found


DENSE = outcomes("dense", 0, [0.90, 0.92], [1000, 1200])


def test_points_are_means_with_what_they_reach() -> None:
    found = tickets(DENSE + outcomes("ticket", 2, [0.93, 0.95], [500, 700]))
    dense, point = found.points
    assert (dense.name, dense.round, dense.density, dense.wins) == ("dense", 0, 1.0, None)
    assert (point.name, point.round, point.density) == ("ticket", 2, pytest.approx(0.64))
    assert (point.accuracy.mean, point.accuracy.least, point.accuracy.most, point.accuracy.n) == (
        pytest.approx(0.94), 0.93, 0.95, 2,
    )  # fmt: skip
    assert point.early_step is not None
    assert point.early_step.mean == 600
    assert found.lr == DENSE[0][0].recipe.lr


@pytest.mark.parametrize(
    ("values", "steps", "wins"),
    [
        ([0.93, 0.95], [500, 700], True),
        ([0.90, 0.92], [1100, 1100], True),
        ([0.93, 0.95], [1500, 1700], False),
        ([0.80, 0.82], [500, 700], False),
    ],
)
def test_a_winning_ticket_is_as_good_and_no_later(values: list[float], steps: list[int], wins: bool) -> None:
    found = tickets(DENSE + outcomes("ticket", 1, values, steps))
    assert found.points[1].wins is wins
    assert ("at 80.0 % of the weights" in found.summary) is wins


def test_a_ticket_is_held_against_every_control_of_its_round() -> None:
    found = tickets(
        DENSE + outcomes("ticket", 1, [0.9, 0.91], [500, 510]) + outcomes("ticket", 2, [0.9, 0.91], [500, 510])
        + outcomes("reinit", 1, [0.5, 0.51], [900, 910]) + outcomes("random", 2, [0.9, 0.91], [100, 110])
        + outcomes("one_shot", 3, [0.9, 0.91])
    )  # fmt: skip
    said = {(v.against, v.round, v.measure): v.answer for v in found.verdicts}
    assert said == {
        ("reinit", 1, "accuracy"): "better",
        ("reinit", 1, "early_accuracy"): "better",
        ("reinit", 1, "early_step"): "better",
        ("random", 2, "accuracy"): "undecided",
        ("random", 2, "early_accuracy"): "undecided",
        ("random", 2, "early_step"): "worse",
    }
    assert "Tickets against reinit at a learning rate of 0.1: final accuracy better at 80.0 % of the weights" in (
        found.summary
    )
    assert "early stop worse at 64.0 % of the weights" in found.summary


def test_without_early_stops_accuracy_alone_is_compared() -> None:
    found = tickets(outcomes("dense", 0, [0.9]) + outcomes("ticket", 1, [0.9]) + outcomes("reinit", 1, [0.9]))
    assert {v.measure for v in found.verdicts} == {"accuracy"}
    assert found.verdicts[0].answer == "undecided"
    assert "cannot be said without an early stop" in found.summary


def test_nothing_yet_is_an_answer_too() -> None:
    assert tickets([]).summary.startswith("No result is a ticket")
    assert tickets(DENSE).summary == tickets([]).summary
    answer = tickets(DENSE + outcomes("ticket", 1, [0.9, 0.91]))
    assert TicketAnswer.model_validate_json(answer.model_dump_json()) == answer


def test_other_arms_of_the_job_are_none_of_its_business() -> None:
    pruned = [(one, result(one)) for one in [candidate("pruned"), candidate("uniform")]]
    assert tickets(DENSE + pruned).points == tickets(DENSE).points
