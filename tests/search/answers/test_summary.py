"""What verdicts say: a sentence for each pair of arms; of many, what is decided."""

from __future__ import annotations

from typing import Any

from espalier.search.answers.summary import MOST_SENTENCES, summary
from espalier.search.answers.verdict import compare
from tests.search.helpers import outcome

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
    assert text.startswith("slimming is better than uniform at params 0.1 (+40.0 points).")
    assert "thinet shows no difference to capped that can be told from chance at params 0.1 (+0.0 points)." in text


def test_of_many_what_is_decided_is_said_by_baseline() -> None:
    found = compare(job(METHODS) + arm("pruned", [0.7, 0.705, 0.71], init="inherited"))
    text = summary(found)
    assert (
        "Better than random: slimming at params 0.1 (+40.0 points); slimming inherited at params 0.1 lr 0.1 (+20.0 points)."
        in text
    )
    assert "Worse than capped: taylor at params 0.1 (-40.0 points)." in text
    assert (
        "Worse than fresh weights in the same widths (slimming): slimming inherited at params 0.1 lr 0.1 (-20.0 points)."
        in text
    )
    assert "l1_norm at" not in text
    undecided = sum(one.adjusted_answer == "undecided" for one in found)
    assert f"{undecided} of {len(found)} comparisons show no difference that can be told from chance." in text
    assert f"All {len(found)} comparisons are right together 95 times in 100 (Holm)" in text


def test_a_difference_that_cannot_be_is_not_promised() -> None:
    """Two seeds far apart: by arithmetic, 400 points."""
    found = compare(arm("pruned", [0.5, 0.8]) + arm("uniform", [0.7, 0.4]))
    assert (found[0].detectable or 0) > 1
    assert "no difference that there can be would have been found 80 times in 100" in summary(found)
    assert "points would have been found" not in summary(found)
    assert "points would have been found" in summary(compare(job(METHODS[:1])))
