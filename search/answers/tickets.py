"""Lottery tickets: how good and how fast they are, round by round, and whether their first weights matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from espalier.models.document import Frozen
from espalier.search.answers.statistics import Comparison, Decision, decided, together
from espalier.search.answers.values import Group, Outcomes, by_arm

Measure = Literal["accuracy", "early_accuracy", "early_step"]
"""Of the test data after the last step; there at the early stop; the steps until then."""
WORDS = {"accuracy": "final accuracy", "early_accuracy": "accuracy at the early stop", "early_step": "early stop"}


class Spread(Frozen):
    """A number over seeds: its mean, and how far it reaches, as the paper draws it."""

    mean: float
    least: float
    most: float
    n: int


class TicketPoint(Frozen):
    """Tickets, or what they are held against, of one round."""

    name: str
    round: int = Field(description="0: the dense network")
    density: float = Field(description="share of the weights that could be cut which is left")
    accuracy: Spread = Field(description="of the test data, after the last step")
    early_accuracy: Spread | None = Field(description="of the test data, at the early stop")
    early_step: Spread | None = Field(description="steps until the least loss on the hold-out")
    wins: bool | None = Field(
        default=None, description="at least as accurate as the dense network, with an early stop that is no later"
    )


class TicketVerdict(Decision):
    """Is a ticket better than a control of its round? Differences are of steps, or fractions."""

    against: str
    round: int
    density: float
    measure: Measure


class TicketAnswer(Frozen):
    """What a job found about lottery tickets."""

    lr: float | None = Field(description="peak learning rate, of which the answer is true")
    points: tuple[TicketPoint, ...]
    verdicts: tuple[TicketVerdict, ...]
    summary: str


def tickets(outcomes: Outcomes) -> TicketAnswer:
    """Every curve of a job with tickets, and what is to be said of it. Works on what results there are."""
    groups = [group for group in by_arm(outcomes) if _round(group) is not None]
    dense = next((group for group in groups if _round(group) == 0), None)
    points = [_point(group, dense) for group in groups]
    verdicts = tuple(_verdicts(groups))
    rates = [group.candidate.recipe.lr for group in groups]
    return TicketAnswer(
        lr=rates[0] if rates else None,
        points=tuple(sorted(points, key=lambda point: (point.round, point.name != "ticket", point.name))),
        verdicts=verdicts,
        summary=_summary(points, verdicts, rates[0] if rates else None),
    )


def _round(group: Group) -> int | None:
    """Of a ticket or control; the dense network is round 0; None for anything else."""
    if group.arm.role == "reference":
        return 0
    found: int | None = getattr(group.candidate.origin, "round", None)
    return found


def _values(group: Group, measure: Measure) -> list[float]:
    if measure == "accuracy":
        return [result.reported for result in group.results]
    early = [(result, result.early) for result in group.results if result.early is not None]
    if measure == "early_step":
        return [float(stop.step) for _, stop in early]
    return [stop.test[result.metric.name] for result, stop in early]


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    return Spread(mean=float(np.mean(values)), least=min(values), most=max(values), n=len(values))


def _density(group: Group) -> float:
    found = [result.density for result in group.results]
    return float(np.mean(found))


def _point(group: Group, dense: Group | None) -> TicketPoint:
    number = _round(group)
    accuracy = _spread(_values(group, "accuracy"))
    assert accuracy is not None
    assert number is not None
    return TicketPoint(
        name=group.arm.name,
        round=number,
        density=_density(group),
        accuracy=accuracy,
        early_accuracy=_spread(_values(group, "early_accuracy")),
        early_step=_spread(_values(group, "early_step")),
        wins=_wins(group, dense) if number and dense else None,
    )


def _wins(group: Group, dense: Group) -> bool | None:
    """Whether it is a winning ticket (Frankle & Carbin 2019, section 1), in the mean over seeds."""
    measured: tuple[Measure, Measure] = ("early_accuracy", "early_step")
    (ours, step), (theirs, other) = ([_spread(_values(one, what)) for what in measured] for one in (group, dense))
    if ours is None or theirs is None or step is None or other is None:
        return None
    sign = group.results[0].metric.sign
    return sign * ours.mean >= sign * theirs.mean and step.mean <= other.mean


def _verdicts(groups: Sequence[Group]) -> Iterator[TicketVerdict]:
    by_round = {_round(group): group for group in groups if group.arm.role == "automatic"}
    measures: tuple[Measure, ...] = ("accuracy", "early_accuracy", "early_step")
    asked = [
        (by_round[_round(control)], control, measure)
        for control in groups
        if control.arm.role == "baseline" and _round(control) in by_round
        for measure in measures
        if _values(by_round[_round(control)], measure) and _values(control, measure)
    ]
    found = decided([Comparison(_values(a, what), _values(b, what), _sign(a, what)) for a, b, what in asked])
    for one, decision in zip(asked, found, strict=True):
        yield _verdict(*one, decision)


def _sign(group: Group, measure: Measure) -> int:
    return -1 if measure == "early_step" else group.results[0].metric.sign


def _verdict(ticket: Group, control: Group, measure: Measure, decision: Decision) -> TicketVerdict:
    return TicketVerdict(
        against=control.arm.name,
        round=_round(ticket) or 0,
        density=_density(ticket),
        measure=measure,
        **dict(decision),
    )


def _summary(points: Sequence[TicketPoint], verdicts: Sequence[TicketVerdict], lr: float | None) -> str:
    if not any(point.name == "ticket" for point in points):
        return "No result is a ticket: a spec asks for them by `tickets`, and the first comes after its dense network."
    sentences = [_winning(points)]
    for against in dict.fromkeys(v.against for v in verdicts):
        about = [v for v in verdicts if v.against == against]
        parts = (
            f"{WORDS[measure]} {_rounds([v for v in about if v.measure == measure])}"
            for measure in dict.fromkeys(v.measure for v in about)
        )
        sentences.append(f"Tickets against {against} at a learning rate of {lr:g}: {'; '.join(parts)}.")
    return " ".join([*sentences, *together(verdicts)])


def _winning(points: Sequence[TicketPoint]) -> str:
    known = [point for point in points if point.name == "ticket" and point.wins is not None]
    if not known:
        return "Whether tickets win cannot be said without an early stop of theirs and of the dense network's."
    wins = [f"{100 * point.density:.1f} %" for point in sorted(known, key=lambda p: -p.density) if point.wins]
    return (
        f"Tickets are at least as accurate as the dense network at an early stop that is no later at {', '.join(wins)} "
        "of the weights."
        if wins
        else "No ticket is at least as accurate as the dense network at an early stop that is no later."
    )


def _rounds(verdicts: Sequence[TicketVerdict]) -> str:
    """In how many rounds, and at what shares of the weights, which answer was given."""
    parts = []
    for found in ("better", "worse"):
        shares = [f"{100 * v.density:.1f} %" for v in verdicts if v.adjusted_answer == found]
        if shares:
            parts.append(f"{found} at {', '.join(shares)} of the weights")
    return ", ".join(parts) if parts else f"no difference in {len(verdicts)} rounds that can be told from chance"
