"""Does automatic pruning beat a baseline? Means over seeds, a confidence interval, and no more than it supports."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean

from espalier.models.document import content_hash
from espalier.search.answers.efficiency import efficiency
from espalier.search.answers.proxies import proxies, told
from espalier.search.answers.statistics import Comparison, Decision, decided
from espalier.search.answers.summary import sentences
from espalier.search.answers.values import (
    About,
    Answer,
    Group,
    Outcomes,
    Verdict,
    are_compared,
    are_same_widths,
    by_arm,
    sample,
    why_not_compared,
    with_role,
)
from espalier.search.candidates import Candidate
from espalier.search.spec import Ratios


def answer(
    outcomes: Outcomes, looks: Sequence[int] = (), failed: Sequence[Candidate] = (), added: Sequence[int] = ()
) -> Answer:
    """Everything there is to say about whether automatic pruning was better; `looks` and `failed` as in `compare`,
    `added` as in `sentences`."""
    verdicts, judged = compare(outcomes, looks, failed), proxies(outcomes)
    words = (*sentences(verdicts, added), *told(judged))
    return Answer(
        verdicts=tuple(verdicts),
        efficiency=tuple(efficiency(outcomes)),
        proxies=tuple(judged),
        summary=" ".join(words),
        sentences=words,
    )


def compare(outcomes: Outcomes, looks: Sequence[int] = (), failed: Sequence[Candidate] = ()) -> list[Verdict]:
    """One verdict for every automatic arm and every baseline with the same budget, and one for its weights against
    fresh ones in the same widths, where both have results. Adjusted answers are for all of them together.

    `looks`: how many seeds there are whenever a job that adds some until it is decided looks at its results; those that
    `failed` are not waited for.
    """
    groups = by_arm(outcomes)
    automatic, baselines = with_role(groups, "automatic"), with_role(groups, "baseline")
    others = [_by_budget(curve) for curve in (*baselines.values(), *automatic.values())]
    pairs = [
        (ours, theirs)
        for curve, other in itertools.product(automatic.values(), others)
        for ours in curve
        if ours.budget is not None
        for theirs in other.get(content_hash(ours.budget), ())
    ]
    asked: list[tuple[About, Group, Group]] = [
        ("widths", ours, theirs)
        for ours, theirs in pairs
        if theirs.arm.role == "baseline" and are_compared(ours, theirs) and not are_same_widths(ours, theirs)
    ]
    asked += [("weights", ours, theirs) for ours, theirs in pairs if are_same_widths(ours, theirs)]
    gone = {(one.arm.id, one.seed) for one in failed}

    def side(group: Group) -> Sequence[float | None]:
        return _ended(group, gone) if looks else _values(group)

    refused = [why_not_compared(ours, theirs) for _, ours, theirs in asked]
    sides = [
        Comparison(side(ours), side(theirs), ours.results[0].metric.sign)
        for (_, ours, theirs), reason in zip(asked, refused, strict=True)
        if reason is None
    ]
    found = iter(decided(sides, looks))
    return [
        _refused(*one, reason) if reason else _verdict(*one, next(found))
        for one, reason in zip(asked, refused, strict=True)
    ]


def _by_budget(curve: Sequence[Group]) -> Mapping[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for group in curve:
        if group.budget is not None:
            found.setdefault(content_hash(group.budget), []).append(group)
    return found


def _refused(about: About, ours: Group, theirs: Group, reason: str) -> Verdict:
    """No answer, and why."""
    difference = fmean(_values(ours)) - fmean(_values(theirs))
    untold = Decision(difference=difference, interval=None, answer="undecided")
    return _verdict(about, ours, theirs, untold).model_copy(update={"refused": reason})


def _values(group: Group, before: int | None = None) -> list[float]:
    """Of all seeds, or of those from 0 on."""
    return [one.reported for candidate, one in group.outcomes if before is None or candidate.seed < before]


def _ended(group: Group, failed: Collection[tuple[str, int]]) -> list[float | None]:
    """Of the seeds from 0 on, as far as all have come to an end; None for those that failed."""
    known = {candidate.seed: result.reported for candidate, result in group.outcomes}
    found: list[float | None] = []
    while len(found) in known or (group.arm.id, len(found)) in failed:
        found.append(known.get(len(found)))
    return found


def _verdict(about: About, ours: Group, theirs: Group, decision: Decision) -> Verdict:
    budget = ours.budget
    assert budget is not None
    return Verdict(
        about=about,
        method=ours.candidate.method or ours.arm.name,
        against=theirs.arm.name,
        arm=ours.arm,
        baseline_arm=theirs.arm,
        metric=budget.metric,
        keep=None if isinstance(budget, Ratios) else budget.keep,
        init=ours.candidate.init,
        match=ours.candidate.recipe.match,
        lr=ours.candidate.recipe.lr,
        control=theirs.candidate.control,
        parents=ours.parents,
        automatic=sample(_values(ours, decision.looked_at)),
        baseline=sample(_values(theirs, decision.looked_at)),
        **dict(decision),
    )
