"""What verdicts say: a sentence for each pair of arms; of many, what is decided."""

from __future__ import annotations

from typing import Any

from espalier.search.answers.summary import MOST_SENTENCES, sentences
from espalier.search.answers.verdict import compare
from tests.search.helpers import outcome, summary

METHODS = ("slimming", "taylor", "l1_norm", "thinet", "snip")
BASELINES = ("uniform", "random", "capped")


def arm(kind: str, values: list[float], **changes: Any) -> list[Any]:
    return [outcome(kind, keep=0.1, seed=seed, accuracy=value, **changes) for seed, value in enumerate(values)]


def job(methods: tuple[str, ...]) -> list[Any]:
    """The first method beats all baselines, the second loses to all, others cannot be told from them."""
    levels = {"slimming": 0.9, "taylor": 0.1}
    ours = [
        one
        for name in methods
        for one in arm("pruned", [levels.get(name, 0.5) + i / 200 for i in range(3)], method=name)
    ]
    return ours + [one for kind in BASELINES for one in arm(kind, [0.5 + i / 200 for i in range(3)])]


def test_few_pairs_have_a_sentence_each() -> None:
    text = summary(compare(job(METHODS[:4])))
    assert len(METHODS[:4]) * len(BASELINES) == MOST_SENTENCES
    assert text.startswith("slimming is better than uniform at params 0.1 (+40.0 points [+38.9, +41.1]).")
    told = "thinet shows no difference to capped that can be told from chance at params 0.1 (+0.0 points [-1.1, +1.1])."
    assert told in text
    assert "Intervals are over seeds, each for one comparison alone; the test examples are the same for all." in text


def test_of_many_what_is_decided_is_said_by_baseline() -> None:
    found = compare(job(METHODS) + arm("pruned", [0.7, 0.705, 0.71], init="inherited"))
    text = summary(found)
    assert (
        "Better than random: slimming at params 0.1 (+40.0 points [+38.9, +41.1]); slimming inherited at params 0.1 "
        "lr 0.1 (+20.0 points [+18.9, +21.1])." in text
    )
    assert "Worse than capped: taylor at params 0.1 (-40.0 points [-41.1, -38.9])." in text
    assert (
        "Worse than fresh weights in the same widths (slimming): slimming inherited at params 0.1 lr 0.1 (-20.0 points "
        "[-21.1, -18.9])." in text
    )
    assert "l1_norm at" not in text
    undecided = sum(one.adjusted_answer == "undecided" for one in found)
    assert f"{undecided} of {len(found)} comparisons show no difference that can be told from chance." in text
    assert f"All {len(found)} comparisons are right together 95 times in 100 (Holm)" in text


def at(kind: str, keep: float, level: float) -> list[Any]:
    return [outcome(kind, keep=keep, seed=i, accuracy=level + i / 200) for i in range(3)]


def test_what_one_number_for_the_network_does_as_well_is_said() -> None:
    known = [*at("pruned", 0.1, 0.9), *at("uniform", 0.1, 0.5), *at("capped", 0.1, 0.9)]
    known += [*at("pruned", 0.2, 0.9), *at("uniform", 0.2, 0.5), *at("capped", 0.2, 0.7)]
    known += [*at("pruned", 0.3, 0.9), *at("uniform", 0.3, 0.9), *at("capped", 0.3, 0.9)]
    words = "Better than uniform widths and not than capped ones: slimming at params 0.1. There, it is shown that the"
    assert words in summary(compare(known))
    without = [(one, result) for one, result in known if one.arm.name != "capped"]
    assert "not than capped ones" not in summary(compare(without)), "what was not trained says nothing"


def test_a_verdict_says_what_it_is_about() -> None:
    def seeds(*parents: str) -> list[Any]:
        ours = [
            outcome("pruned", keep=0.1, seed=i, accuracy=0.9 + i / 200, needs={"parent": parent})
            for i, parent in enumerate(parents)
        ]
        return [*ours, *at("uniform", 0.1, 0.5)]

    own, one = "Every seed prunes a parent of its own", "All seeds prune one parent"
    assert own in summary(compare(seeds("a", "b", "c")))
    assert one in summary(compare(seeds("a", "a", "a")))
    assert own not in summary(compare(seeds("a", "a", "a")))
    nothing = summary(compare([*at("guided", 0.1, 0.9), *at("uniform", 0.1, 0.5)]))
    assert own not in nothing
    assert one not in nothing


def test_a_difference_that_cannot_be_is_not_promised() -> None:
    """Two seeds far apart: by arithmetic, 400 points."""
    found = compare(arm("pruned", [0.5, 0.8]) + arm("uniform", [0.7, 0.4]))
    assert (found[0].detectable or 0) > 1
    assert "no difference that there can be would have been found 80 times in 100" in summary(found)
    assert "points would have been found" not in summary(found)
    assert "points would have been found" in summary(compare(job(METHODS[:1])))


def test_who_looked_and_went_on_is_told_what_that_means() -> None:
    found = compare(job(METHODS[:1]))
    assert "when there were results to look at" not in " ".join(sentences(found))
    (words,) = set(sentences(found, (3, 4))) - set(sentences(found))
    assert words.startswith("Seeds 3, 4 were added when there were results to look at: intervals and p values do not")
