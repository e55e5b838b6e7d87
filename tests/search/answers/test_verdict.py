"""Verdicts: against numbers worked out elsewhere, and never more than the interval supports."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.search.answers.verdict import answer, compare
from espalier.search.results import Execution, MadeBy, Metric
from espalier.search.spec import Ratios
from tests.search.helpers import candidate, outcome, result, summary


def arm(kind: str, values: list[float], keep: float = 0.1, params: int = 100, **changes: object):  # type: ignore[no-untyped-def]
    return [outcome(kind, keep=keep, seed=s, accuracy=a, params=params, **changes) for s, a in enumerate(values)]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([0.90, 0.91, 0.92], [0.70, 0.71, 0.72], "better"),
        ([0.70, 0.71, 0.72], [0.90, 0.91, 0.92], "worse"),
        ([0.70, 0.80, 0.90], [0.69, 0.79, 0.89], "undecided"),
        ([0.9], [0.1], "undecided"),
        ([0.9, 0.9], [0.1], "undecided"),
        ([0.9, 0.9], [0.8, 0.8], "undecided"),  # no spread: perhaps one test image, not certainty
        ([0.5, 0.5], [0.5, 0.5], "undecided"),
        ([0.9, 0.9], [0.1, 0.11], "better"),
    ],
)
def test_the_answer_is_what_the_interval_supports(ours: list[float], theirs: list[float], expected: str) -> None:
    (verdict,) = compare(arm("pruned", ours) + arm("uniform", theirs))
    assert verdict.answer == expected
    assert (verdict.interval is None) == (min(len(ours), len(theirs)) < 2 or len({*ours}) == len({*theirs}) == 1)
    assert verdict.difference == pytest.approx(sum(ours) / len(ours) - sum(theirs) / len(theirs))


def test_one_verdict_for_each_method_baseline_and_budget_that_both_have() -> None:
    outcomes = (
        arm("pruned", [0.5, 0.6], 0.1) + arm("pruned", [0.5, 0.6], 0.2)
        + arm("uniform", [0.4, 0.5], 0.1) + arm("random", [0.3, 0.4], 0.1) + arm("random", [0.3, 0.4], 0.3)
        + arm("dense", [0.9, 0.9])
    )  # fmt: skip
    assert {(v.against, v.keep) for v in compare(outcomes)} == {("uniform", 0.1), ("random", 0.1)}


def test_inherited_weights_are_an_arm_of_their_own() -> None:
    outcomes = arm("pruned", [0.5, 0.6]) + arm("pruned", [0.8, 0.9], init="inherited") + arm("uniform", [0.4, 0.5])
    found = {(v.init, round(v.automatic.mean, 2)) for v in compare(outcomes) if v.about == "widths"}
    assert found == {("scratch", 0.55), ("inherited", 0.85)}


def test_inherited_weights_are_held_against_every_way_from_scratch_in_the_same_widths() -> None:
    def longer(outcomes: list[Any], match: str) -> list[Any]:
        changed = [
            one.model_copy(update={"recipe": one.recipe.model_copy(update={"match": match})}) for one, _ in outcomes
        ]
        return [(one, result(one, found.reported)) for one, (_, found) in zip(changed, outcomes, strict=True)]

    scratch, low = arm("pruned", [0.5, 0.51]), [0.1, 0.11]
    outcomes = (
        arm("pruned", [0.7, 0.71], init="inherited") + scratch + longer(arm("pruned", [0.9, 0.91]), "pipeline")
        + arm("pruned", low, 0.2) + arm("pruned", low, method="taylor", params=50) + longer(arm("uniform", low), "pipeline")
    )  # fmt: skip
    found = [v for v in compare(outcomes) if v.about == "weights"]
    assert [(v.arm.name, v.against, v.answer) for v in found] == [
        ("slimming inherited", "slimming", "better"),
        ("slimming inherited", "slimming pipeline", "worse"),
    ]
    text = summary(compare(outcomes))
    assert "slimming inherited is better than fresh weights in its widths (slimming) at params 0.1 lr 0.1" in text
    assert "worse than fresh weights in its widths (slimming pipeline)" in text
    lengths = {(v.arm.name, v.against) for v in compare(outcomes) if v.about == "widths"}
    assert lengths == {("slimming inherited", "uniform pipeline"), ("slimming pipeline", "uniform pipeline")}


def test_untuned_weights_are_held_against_everything_from_scratch() -> None:
    outcomes = arm("pruned", [0.4, 0.41], init="untuned") + arm("pruned", [0.5, 0.51]) + arm("uniform", [0.5, 0.51])
    found = {(v.about, v.arm.name, v.against) for v in compare(outcomes)}
    assert found == {
        ("weights", "slimming untuned", "slimming"),
        ("widths", "slimming untuned", "uniform"),
        ("widths", "slimming", "uniform"),
    }


def test_what_is_given_uniform_widths_is_held_against_uniform_networks_for_its_weights() -> None:
    outcomes = arm("pruned", [0.7, 0.71], init="inherited", method="l1_norm")
    for one, found in arm("uniform", [0.5, 0.51]):
        outcomes.append((one, found.model_copy(update={"config": outcomes[0][1].config})))
    (verdict,) = compare(outcomes)
    assert (verdict.about, verdict.against) == ("weights", "uniform")


def test_who_was_taught_is_held_against_fresh_weights_trained_as_long() -> None:
    outcomes = arm("pruned", [0.7, 0.71], init="distilled") + arm("pruned", [0.5, 0.51]) + arm("uniform", [0.9, 0.91])
    found = {(verdict.about, verdict.arm.name, verdict.against) for verdict in compare(outcomes)}
    assert found == {("weights", "slimming distilled", "slimming"), ("widths", "slimming", "uniform")}


def test_the_summary_is_plain_about_all_three_answers() -> None:
    outcomes = (
        arm("pruned", [0.9, 0.91], 0.1) + arm("uniform", [0.1, 0.11], 0.1)
        + arm("pruned", [0.1, 0.11], 0.2) + arm("uniform", [0.9, 0.91], 0.2)
        + arm("pruned", [0.5, 0.6], 0.3) + arm("uniform", [0.5, 0.6], 0.3)
    )  # fmt: skip
    text = summary(compare(outcomes))
    assert "slimming is better than uniform at params 0.1 (+80.0 points [+77.0, +83.0])" in text
    assert "is worse than uniform at params 0.2 (-80.0 points [-83.0, -77.0])" in text
    assert "shows no difference to uniform that can be told from chance at params 0.3" in text
    assert "parent" not in text
    assert "points would have been found 80 times in 100 (median)." in text
    assert summary([]).startswith("There is no verdict: ")


def test_where_seeds_are_added_a_verdict_rests_on_those_it_was_decided_by() -> None:
    outcomes = arm("pruned", [0.9, 0.91, 0.92, 0.1, 0.1, 0.1]) + arm("uniform", [0.5, 0.51, 0.52, 0.9, 0.9, 0.9])
    (verdict,) = compare(outcomes[::-1], looks=(3, 6))
    assert (verdict.adjusted_answer, verdict.looked_at, verdict.automatic.n) == ("better", 3, 3)
    assert verdict.difference == pytest.approx(verdict.automatic.mean - verdict.baseline.mean)
    assert "they rest on 3 of each side" in summary([verdict])
    late = arm("pruned", [0.5, 0.6, 0.4, 0.51, 0.49]) + arm("uniform", [0.3, 0.4, 0.2, 0.31, 0.29, 0.3])
    failed = [candidate("pruned", keep=0.1, seed=5)]
    assert [one.looked_at for one in compare(late, looks=(3, 6))] == [3], "it may be running"
    assert [(one.looked_at, one.automatic.n) for one in compare(late, (3, 6), failed)] == [(6, 5)]


def test_what_holds_alone_need_not_hold_together_with_others() -> None:
    """Three differences with p = 0.03: together, the first must be below 0.05 / 3."""
    outcomes = [
        one
        for keep in (0.1, 0.2, 0.3)
        for one in arm("pruned", [0.50, 0.52, 0.54], keep) + arm("uniform", [0.46, 0.47, 0.48], keep)
    ]
    found = compare(outcomes)
    assert {(v.answer, v.adjusted_answer) for v in found} == {("better", "undecided")}
    assert all(0.05 / 3 < (v.p or 0) < 0.05 < (v.adjusted_p or 0) for v in found)
    text = summary(found)
    assert "slimming shows no difference to uniform that can be told from chance at params 0.1" in text
    assert "All 3 comparisons are right together 95 times in 100 (Holm); 3 more would be decided if each stood" in text
    (alone,) = compare(outcomes[:6])
    assert (alone.answer, alone.adjusted_answer) == ("better", "better")
    assert "comparisons" not in summary([alone])


@pytest.mark.parametrize(("parents", "count"), [(["a", "a"], 1), (["a", "b"], 2)])
def test_answers_say_that_they_are_about_one_parents_widths(parents: list[str], count: int) -> None:
    outcomes = [
        (one.model_copy(update={"needs": {"parent": parent}}), found)
        for (one, found), parent in zip(arm("pruned", [0.9, 0.91]), parents, strict=True)
    ]
    (verdict,) = compare(outcomes + arm("uniform", [0.1, 0.11]))
    assert verdict.parents == count
    assert ("All seeds prune one parent" in summary([verdict])) is (count == 1)


def test_the_same_networks_are_compared_seed_by_seed() -> None:
    """Widths that differ between seeds are the same in both arms, in whatever order results came."""

    def of(way: str, seeds: list[int]) -> list[Any]:
        found = arm("pruned", [0.5, 0.6, 0.7], init=way)
        for seed, (one, some) in enumerate(found):
            found[seed] = (
                one,
                some.model_copy(update={"config": some.config.model_copy(update={"widths": {"a": seed + 1}})}),
            )
        return [found[seed] for seed in seeds]

    for ours, theirs in (([0, 1, 2], [2, 0, 1]), ([0, 1], [1, 2])):
        about = {verdict.about for verdict in compare(of("inherited", ours) + of("scratch", theirs))}
        assert about == {"weights"}
    assert compare(of("inherited", [0]) + of("scratch", [1])) == []


def test_networks_of_one_size_with_other_masks_are_not_the_same() -> None:
    def masked(kind: str, values: list[float], mask: str, **changes: Any) -> list[Any]:
        outcomes = arm(kind, values, **changes)
        return [
            (one, found.model_copy(update={"config": found.config.model_copy(update={"mask": mask})}))
            for one, found in outcomes
        ]

    ours = masked("pruned", [0.7, 0.71], "a" * 64, init="inherited", method="magnitude")
    same = masked("pruned", [0.5, 0.51], "a" * 64, method="magnitude")
    other = masked("uniform", [0.4, 0.41], "b" * 64)
    found = {(v.about, v.arm.name, v.against) for v in compare(ours + same + other)}
    assert found == {
        ("weights", "magnitude inherited", "magnitude"),
        ("widths", "magnitude inherited", "uniform"),
        ("widths", "magnitude", "uniform"),
    }


def test_where_less_is_better_so_is_the_verdict() -> None:
    error = Metric(name="error", higher_is_better=False)

    def with_errors(kind: str, values: list[float]) -> list[Any]:
        found = []
        for seed, value in enumerate(values):
            one = candidate(kind, seed=seed)
            found.append((one, result(one, metric=error, holdout={"error": value}, test={"error": value})))
        return found

    low, high = [0.1, 0.11, 0.12], [0.3, 0.31, 0.32]
    assert compare(with_errors("pruned", low) + with_errors("uniform", high))[0].answer == "better"
    assert compare(with_errors("pruned", high) + with_errors("uniform", low))[0].answer == "worse"


def test_ratios_are_compared_with_the_baselines_of_those_ratios() -> None:
    def given_widths(kind: str, ratios: Ratios, values: list[float]) -> list[Any]:
        found = []
        for seed, value in enumerate(values):
            one = candidate(kind, seed=seed)
            one = one.model_copy(update={"origin": one.origin.model_copy(update={"budget": ratios})})
            found.append((one, result(one, value)))
        return found

    one, other = Ratios(by="stage", ratios={"0": 0.5}), Ratios(by="stage", ratios={"0": 0.6})
    high, low = [0.9, 0.91], [0.1, 0.11]
    outcomes = (
        given_widths("pruned", one, high) + given_widths("uniform", one, low) + given_widths("random", other, low)
    )
    (verdict,) = compare(outcomes)
    assert (verdict.against, verdict.keep, verdict.metric, verdict.answer) == ("uniform", None, "params", "better")
    assert f"slimming is better than uniform at {one} (+80.0 points [+77.0, +83.0])" in summary([verdict])


def test_a_verdict_names_the_arms_it_compares() -> None:
    outcomes = arm("pruned", [0.5, 0.6]) + arm("uniform", [0.4, 0.5])
    (verdict,) = compare(outcomes)
    assert verdict.arm == outcomes[0][0].arm
    assert verdict.baseline_arm == outcomes[2][0].arm


def test_an_answer_has_all_three_parts() -> None:
    outcomes = arm("pruned", [0.9, 0.91]) + arm("uniform", [0.1, 0.11])
    found = answer(outcomes)
    assert list(found.verdicts) == compare(outcomes)
    assert [one.metric for one in found.efficiency] == ["params", "macs"]
    assert found.summary == summary(found.verdicts)
    assert answer([]).verdicts == answer([]).efficiency == ()


def test_every_arm_of_a_method_has_its_own_sentence() -> None:
    found = compare(
        arm("pruned", [0.9, 0.91]) + arm("pruned", [0.1, 0.11], init="inherited") + arm("uniform", [0.5, 0.51])
    )
    assert "slimming is better than uniform" in summary(found)
    assert "slimming inherited is worse than uniform" in summary(found)


def control(values: list[float], ranking: str = "reverse", **changes: Any) -> list[Any]:
    found = []
    for seed, value in enumerate(values):
        one = candidate("control", keep=0.1, seed=seed, ranking=ranking, **changes)
        found.append((one, result(one, value)))
    return found


def test_a_method_is_held_against_controls_of_its_own_with_its_own_start() -> None:
    outcomes = (
        arm("pruned", [0.9, 0.91])
        + arm("pruned", [0.9, 0.91], method="taylor")
        + arm("pruned", [0.8, 0.81], init="inherited")
        + control([0.5, 0.51])
        + control([0.6, 0.61], init="inherited")
        + arm("uniform", [0.1, 0.11])
    )
    found = answer(outcomes)
    pairs = {(v.arm.name, v.against, v.control) for v in found.verdicts if v.control}
    assert pairs == {
        ("slimming", "slimming reverse", "reverse"),
        ("slimming inherited", "slimming reverse inherited", "reverse"),
    }
    assert {v.control for v in found.verdicts if v.against == "uniform"} == {None}
    assert len([v for v in found.verdicts if v.against == "uniform"]) == 3
    assert {(one.name, one.against) for one in found.efficiency if "reverse" in one.against} == {
        (name, against) for name, against, _ in pairs
    }
    assert "its ranking has shown nothing" not in found.summary


def test_a_ranking_that_its_own_reverse_does_not_lose_to_has_shown_nothing() -> None:
    found = compare(arm("pruned", [0.5, 0.7]) + control([0.5, 0.69]) + control([0.5, 0.69], "shuffled"))
    words = "slimming does not beat its own ranking reversed at params 0.1: there, its ranking has shown nothing."
    assert words in summary(found)
    assert summary(found).count("has shown nothing") == 1


def made_by(outcomes: list[Any], release: str, **execution: Any) -> list[Any]:
    made = MadeBy(espalier=release, torch="0", execution=Execution(**execution))
    return [(one, found.model_copy(update={"made_by": made})) for one, found in outcomes]


@pytest.mark.parametrize("other", [("2", {}), ("1", {"precision": "bfloat16"}), ("1", {"threads": 2})])
def test_what_was_made_under_other_conditions_is_not_compared(other: tuple[str, dict[str, Any]]) -> None:
    ours, theirs = arm("pruned", [0.9, 0.91, 0.92]), arm("uniform", [0.7, 0.71, 0.72])
    alike = made_by(ours + theirs, "1")
    assert [v.refused for v in compare(alike)] == [None]
    mixed = made_by(ours, "1") + made_by(theirs, other[0], **other[1])
    found = answer(mixed)
    (verdict,) = found.verdicts
    assert (verdict.answer, verdict.interval, verdict.p) == ("undecided", None, None)
    assert verdict.difference == pytest.approx(0.2)
    assert verdict.refused is not None
    assert "release 1 (cpu float32, 1 thread) and by release" in verdict.refused
    assert found.summary.startswith("1 of 1 comparisons are not made: their results were made by release 1")
    assert [(one.factor, one.refused) for one in found.efficiency] == [(None, verdict.refused)] * 2


def test_seeds_of_one_arm_under_other_conditions_are_not_averaged() -> None:
    first, *rest = arm("pruned", [0.9, 0.91, 0.92])
    outcomes = made_by([first], "2") + made_by(rest + arm("uniform", [0.7, 0.71, 0.72]), "1")
    assert compare(outcomes)[0].refused


def test_comparisons_that_are_not_made_are_no_tests_of_the_job() -> None:
    fair = made_by(arm("pruned", [0.9, 0.92]) + arm("uniform", [0.7, 0.73]), "1")
    other = made_by(arm("random", [0.7, 0.73]), "2")
    alone, beside = compare(fair)[0], compare(fair + other)[0]
    assert alone == beside


def test_who_wins_may_depend_on_the_length_of_training() -> None:
    def longer(outcomes: list[Any]) -> list[Any]:
        changed = [
            one.model_copy(update={"recipe": one.recipe.model_copy(update={"match": "compute"})}) for one, _ in outcomes
        ]
        return [(one, result(one, found.reported)) for one, (_, found) in zip(changed, outcomes, strict=True)]

    high, low = [0.9, 0.91, 0.92], [0.5, 0.51, 0.52]
    short = arm("pruned", high) + arm("uniform", low)
    turned = answer(short + longer(arm("pruned", low) + arm("uniform", high))).summary
    assert (
        "It depends on the length of training whether slimming beats uniform at params 0.1: better with as many epochs, "
        "worse with as much compute." in turned
    )
    assert "It depends" not in answer(short + longer(short)).summary
    assert "It depends" not in answer(short + longer(arm("pruned", low) + arm("uniform", low))).summary
