"""What verdicts say, in plain sentences."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from statistics import median

from espalier.search.answers.statistics import together
from espalier.search.answers.values import About, Verdict

MOST_SENTENCES = 12
"""One for each method and baseline; where there would be more, only what is decided is said."""
LENGTHS = {"epochs": "as many epochs", "compute": "as much compute", "pipeline": "the compute of a pipeline"}
"""Of training."""
WHOLE = 1.0
"""No two shares of right answers differ by as much."""
ONE_PARENT = (
    "All seeds prune one parent: answers are about the widths and weights found there, and not about what the method "
    "finds in another."
)
OWN_PARENTS = "Every seed prunes a parent of its own: answers are about the method, on this network and data."
ONE_TEST = "Intervals are over seeds, each for one comparison alone; the test examples are the same for all."


def sentences(verdicts: Sequence[Verdict], added: Sequence[int] = ()) -> list[str]:
    """One plain sentence for each method and baseline, or why there is none. Of many, what is decided, by baseline.

    `added`: seeds that were asked for when there were results to look at.
    """
    if not verdicts:
        return ["There is no verdict: no budget has results of both a method and a baseline."]
    made = [v for v in verdicts if not v.refused]
    by_pair: dict[tuple[About, str, str], list[Verdict]] = {}
    for v in made:
        by_pair.setdefault((v.about, v.arm.name, v.against), []).append(v)
    few = len(by_pair) <= MOST_SENTENCES
    answers = [_sentence(*pair, found) for pair, found in by_pair.items()] if few else _decided(made)
    about = (
        _unproven(made),
        _no_better_than_capped(made),
        _flips(made),
        _not_compared(verdicts),
        _untold(made),
        together(made),
        _looks(made),
        _added(added),
        _power(verdicts),
        _about(verdicts),
    )
    return [*answers, *itertools.chain.from_iterable(about)]


def _decided(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What is decided of many comparisons: who is better or worse than each baseline, and how many are left."""
    places = dict.fromkeys((v.adjusted_answer, _against(v)) for v in verdicts if v.adjusted_answer != "undecided")
    for found, against in sorted(places):
        by_arm: dict[str, list[str]] = {}
        for v in verdicts:
            if (v.adjusted_answer, _against(v)) == (found, against):
                by_arm.setdefault(v.arm.name, []).append(_with_points(v))
        arms = "; ".join(f"{name} at {', '.join(budgets)}" for name, budgets in by_arm.items())
        yield f"{found.capitalize()} than {against}: {arms}."
    left = sum(v.adjusted_answer == "undecided" for v in verdicts)
    yield f"{left} of {len(verdicts)} comparisons show no difference that can be told from chance."


def _against(verdict: Verdict) -> str:
    return verdict.against if verdict.about == "widths" else f"fresh weights in the same widths ({verdict.against})"


def _with_points(verdict: Verdict) -> str:
    interval = " [{:+.1f}, {:+.1f}]".format(*(100 * end for end in verdict.interval)) if verdict.interval else ""
    return f"{_budget(verdict)} ({100 * verdict.difference:+.1f} points{interval})"


def _looks(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """How many seeds it took, where more were added until it was decided."""
    counts = sorted({v.looked_at for v in verdicts if v.looked_at})
    if counts:
        yield (
            f"Seeds are added where answers are undecided: they rest on {' or '.join(map(str, counts))} of each "
            "side, and their intervals and p values allow for every look."
        )


def _added(seeds: Sequence[int]) -> Iterator[str]:
    """What must be said where somebody looked, and went on."""
    if seeds:
        which = f"Seed {seeds[0]} was" if len(seeds) == 1 else f"Seeds {', '.join(map(str, seeds))} were"
        yield (
            f"{which} added when there were results to look at: intervals and p values do not allow for that, and "
            "whoever adds seeds until something is decided will see it decided."
        )


def _power(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What the comparisons could have found, and what it would take to decide the others."""
    found = [v.detectable for v in verdicts if v.detectable is not None]
    if not found:
        return
    if median(found) < WHOLE:
        yield f"A difference of {100 * median(found):.1f} points would have been found 80 times in 100 (median)."
    else:
        yield "From so few seeds, no difference that there can be would have been found 80 times in 100."
    open_ones = [v for v in verdicts if v.adjusted_answer == "undecided" and v.detectable is not None]
    seeds = [v.seeds_to_decide for v in open_ones if v.seeds_to_decide is not None]
    if seeds:
        few, many = min(seeds), max(seeds)
        yield (
            f"If they are as large as they look, {len(seeds)} of {len(open_ones)} that are undecided would be decided "
            f"by {few if few == many else f'{few} to {many}'} seeds."
        )


def _about(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What the answers are about, and what their intervals are over."""
    if any(0 < v.parents < v.automatic.n for v in verdicts):
        yield ONE_PARENT
    elif any(v.parents > 1 for v in verdicts):
        yield OWN_PARENTS
    if any(v.interval for v in verdicts):
        yield ONE_TEST


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


def _no_better_than_capped(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Where a method beats uniform widths, and one number for the whole network does, too."""
    answers: dict[tuple[str, str], dict[str, str]] = {}
    for v in verdicts:
        if v.about == "widths":
            against = _whatever_its_length(v.against, v)
            answers.setdefault((v.arm.name, _budget(v)), {})[against] = v.adjusted_answer
    found: dict[str, list[str]] = {}
    for (name, budget), by_baseline in answers.items():
        if by_baseline.get("uniform") == "better" and by_baseline.get("capped", "better") != "better":
            found.setdefault(name, []).append(budget)
    if found:
        places = "; ".join(f"{name} at {', '.join(budgets)}" for name, budgets in found.items())
        yield (
            f"Better than uniform widths and not than capped ones: {places}. There, it is shown that the widest layers "
            "are too wide, and no more."
        )


def _untold(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Of which comparisons nothing can be told, by reason."""
    reasons = [v.untold for v in verdicts if v.untold]
    for reason in dict.fromkeys(reasons):
        yield f"{reasons.count(reason)} of {len(verdicts)} comparisons can tell nothing from chance: {reason}."


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
            budgets = ", ".join(map(_with_points, chosen))
            parts.append(f"{words} at {budgets}")
    return f"{name} {'; '.join(parts)}."


def _budget(verdict: Verdict) -> str:
    if verdict.keep is None:
        return verdict.arm.label.removeprefix(verdict.arm.name + " ")
    rate = f" lr {verdict.lr:g}" if verdict.lr and verdict.init == "inherited" else ""
    return f"{verdict.metric} {verdict.keep:g}{rate}"
