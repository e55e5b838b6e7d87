"""Does automatic pruning beat a baseline? Means over seeds, a confidence interval, and no more than it supports."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from statistics import fmean, median

from espalier.search.answers.efficiency import efficiency
from espalier.search.answers.proxies import proxies, told
from espalier.search.answers.statistics import Comparison, Decision, decided, together
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

LENGTHS = {"epochs": "as many epochs", "compute": "as much compute", "pipeline": "the compute of a pipeline"}
"""Of training."""
ONE_PARENT = (
    "All seeds prune one parent: answers are about the widths and weights found there, and not about what the method "
    "finds in another."
)


def answer(outcomes: Outcomes, looks: Sequence[int] = (), failed: Sequence[Candidate] = ()) -> Answer:
    """Everything there is to say about whether automatic pruning was better; `looks` and `failed` as in `compare`."""
    verdicts, judged = compare(outcomes, looks, failed), proxies(outcomes)
    return Answer(
        verdicts=tuple(verdicts),
        efficiency=tuple(efficiency(outcomes)),
        proxies=tuple(judged),
        summary=" ".join([summary(verdicts), *told(judged)]),
    )


def compare(outcomes: Outcomes, looks: Sequence[int] = (), failed: Sequence[Candidate] = ()) -> list[Verdict]:
    """One verdict for every automatic arm and every baseline with the same budget, and one for its weights against
    fresh ones in the same widths, where both have results. Adjusted answers are for all of them together.

    `looks`: how many seeds there are whenever a job that adds some until it is decided looks at its results; those that
    `failed` are not waited for.
    """
    groups = by_arm(outcomes)
    automatic, baselines = with_role(groups, "automatic"), with_role(groups, "baseline")
    pairs = [
        (ours, theirs)
        for curve, other in itertools.product(automatic.values(), [*baselines.values(), *automatic.values()])
        for ours in curve
        for theirs in other
        if ours.budget is not None and ours.budget == theirs.budget
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


def summary(verdicts: Sequence[Verdict]) -> str:
    """One plain sentence for each method and baseline, or why there is none."""
    if not verdicts:
        return "There is no verdict: no budget has results of both a method and a baseline."
    sentences, made = [], [v for v in verdicts if not v.refused]
    for key in dict.fromkeys((v.about, v.arm.name, v.against) for v in made):
        sentences.append(_sentence(*key, [v for v in made if (v.about, v.arm.name, v.against) == key]))
    about = (
        _unproven(verdicts),
        _flips(verdicts),
        _not_compared(verdicts),
        together(verdicts),
        _looks(verdicts),
        _power(verdicts),
        _about(verdicts),
    )
    return " ".join([*sentences, *itertools.chain.from_iterable(about)])


def _looks(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """How many seeds it took, where more were added until it was decided."""
    counts = sorted({v.looked_at for v in verdicts if v.looked_at})
    if counts:
        yield (
            f"Seeds are added where answers are undecided: they rest on {' or '.join(map(str, counts))} of each "
            "side, and their intervals and p values allow for every look."
        )


def _power(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What the comparisons could have found, and what it would take to decide the others."""
    found = [v.detectable for v in verdicts if v.detectable is not None]
    if not found:
        return
    yield f"A difference of {100 * median(found):.1f} points would have been found 80 times in 100 (median)."
    open_ones = [v for v in verdicts if v.adjusted_answer == "undecided" and v.detectable is not None]
    seeds = [v.seeds_to_decide for v in open_ones if v.seeds_to_decide is not None]
    if seeds:
        few, many = min(seeds), max(seeds)
        yield (
            f"If they are as large as they look, {len(seeds)} of {len(open_ones)} that are undecided would be decided "
            f"by {few if few == many else f'{few} to {many}'} seeds."
        )


def _about(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What the answers are not about, where seeds have no parents of their own."""
    if any(0 < v.parents < v.automatic.n for v in verdicts):
        yield ONE_PARENT


def _flips(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Where it depends on the length of training who is better."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for v in verdicts:
        if v.about == "widths" and v.init == "scratch":
            place = (_whatever_its_length(v.arm.name, v), _whatever_its_length(v.against, v), _budget(v))
            found.setdefault(place, {})[v.match] = v.adjusted_answer
    for (name, against, budget), answers in found.items():
        if {"better", "worse"} <= {*answers.values()}:
            lengths = ", ".join(f"{answer} with {LENGTHS[match]}" for match, answer in answers.items())
            yield f"It depends on the length of training whether {name} beats {against} at {budget}: {lengths}."


def _whatever_its_length(name: str, verdict: Verdict) -> str:
    return name.removesuffix(f" {verdict.match}")


def _not_compared(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Which comparisons cannot be made, by reason."""
    reasons = [v.refused for v in verdicts if v.refused]
    for reason in dict.fromkeys(reasons):
        yield f"{reasons.count(reason)} of {len(verdicts)} comparisons are not made: {reason}."


def _unproven(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What must be said of a ranking that its own reverse does not lose to."""
    reversed_ones = [v for v in verdicts if v.control == "reverse" and v.adjusted_answer != "better"]
    for name in dict.fromkeys(v.arm.name for v in reversed_ones):
        budgets = ", ".join(_budget(v) for v in reversed_ones if v.arm.name == name)
        yield f"{name} does not beat its own ranking reversed at {budgets}: there, its ranking has shown nothing."


def _sentence(about: About, name: str, against: str, verdicts: Sequence[Verdict]) -> str:
    parts = []
    if about == "weights":
        against = f"fresh weights in its widths ({against})"
    for found, words in (
        ("better", f"is better than {against}"),
        ("worse", f"is worse than {against}"),
        ("undecided", f"shows no difference to {against} that can be told from chance"),
    ):
        chosen = [v for v in verdicts if v.adjusted_answer == found]
        if chosen:
            budgets = ", ".join(f"{_budget(v)} ({100 * v.difference:+.1f} points)" for v in chosen)
            parts.append(f"{words} at {budgets}")
    return f"{name} {'; '.join(parts)}."


def _budget(verdict: Verdict) -> str:
    if verdict.keep is None:
        return verdict.arm.label.removeprefix(verdict.arm.name + " ")
    rate = f" lr {verdict.lr:g}" if verdict.lr and verdict.init == "inherited" else ""
    return f"{verdict.metric} {verdict.keep:g}{rate}"
