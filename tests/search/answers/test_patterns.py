"""Patterns: what is kept by stage and depth, over seeds, and how alike two are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from espalier.models.config import ChannelConfig, Cost
from espalier.search.answers.patterns import (
    KnownPattern,
    Pattern,
    Patterns,
    Transfer,
    guides_of,
    pattern,
    patterns,
    similarity,
    transfers,
)
from espalier.search.answers.values import Sample
from espalier.search.answers.verdict import compare
from espalier.search.arms.guided_weights import GuidedWeights
from espalier.search.question import Place
from espalier.search.results import Execution, MadeBy, Sparsity
from espalier.search.spec import Budget, Guide, JobSpec, Kernel, Target
from tests.search.helpers import TARGET, candidate, outcome, question, result

BUDGET = Budget(metric="params", keep=0.1)
PLACES = (Place("a", 10, 0), Place("b", 20, 1), Place("c", 20, 1), Place("d", 40, 2))
ASKED = question(JobSpec(target=TARGET)).model_copy(update={"groups": PLACES})


def found(kind: str, widths: dict[str, int], seed: int = 0, **changes: Any) -> Any:
    one = candidate(kind, keep=0.1, seed=seed, **changes)
    return one, result(one, config=ChannelConfig.of_classifier("vgg11", {}, 10, (1, 32, 32), widths))


def of(*shares: float, widths: tuple[int, ...] = (10, 20, 20, 40)) -> Pattern:
    places = [Place(str(i), 100 * width, i) for i, width in enumerate(widths)]
    kept = {place.name: round(share * place.width) for place, share in zip(places, shares, strict=True)}
    return pattern("slimming", BUDGET, places, [kept])


def test_a_pattern_is_what_is_kept_by_stage_and_by_group_over_seeds() -> None:
    outcomes = [
        found("pruned", {"a": 5, "b": 10, "c": 20, "d": 4}),
        found("pruned", {"a": 5, "b": 20, "c": 20, "d": 8}, seed=1),
        found("uniform", {"a": 3, "b": 6, "c": 6, "d": 12}),
        outcome("dense"),
    ]
    (one,) = patterns(outcomes, ASKED).patterns
    assert (one.name, one.budget) == ("slimming", BUDGET)
    assert [stage.channels for stage in one.stages] == [10, 40, 40]
    assert [stage.keep.mean for stage in one.stages] == pytest.approx([0.5, 0.875, 0.15])
    assert [stage.keep.std for stage in one.stages] == pytest.approx([0, 0.125 * 2**0.5, 0.05 * 2**0.5])
    assert [group.depth for group in one.groups] == [0.125, 0.375, 0.625, 0.875]
    assert [group.keep.mean for group in one.groups] == pytest.approx([0.5, 0.75, 1, 0.15])
    assert {group.keep.n for group in one.groups} == {2}


def test_ways_of_training_the_same_widths_are_one_pattern_and_controls_are_none() -> None:
    widths = {"a": 5, "b": 10, "c": 20, "d": 4}
    outcomes = [
        found("pruned", widths, init="inherited"),
        *(found("pruned", widths, seed=seed) for seed in (0, 1)),
        found("control", widths),
    ]
    (one,) = patterns(outcomes, ASKED).patterns
    assert one.groups[0].keep.n == 2


def test_widths_that_were_given_or_carried_here_were_not_found() -> None:
    widths = {"a": 5, "b": 10, "c": 20, "d": 4}
    outcomes = [found("pruned", widths, method="l1_norm"), found("guided", widths)]
    assert len(patterns(outcomes, ASKED).patterns) == 1
    assert patterns(outcomes, ASKED.model_copy(update={"given": ("l1_norm",)})).patterns == ()


def test_what_has_no_widths_has_no_pattern() -> None:
    masked, seen = found("pruned", {"a": 5, "b": 10, "c": 20, "d": 4})
    outcomes = [
        (masked, seen.model_copy(update={"config": seen.config.model_copy(update={"mask": "m"})})),
        found("pruned", {"e": 1}, method="taylor"),
    ]
    nowhere = ASKED.model_copy(update={"groups": ()})
    assert patterns(outcomes, ASKED).patterns == patterns([], ASKED).patterns == ()
    assert patterns([found("pruned", {"a": 5, "b": 10, "c": 20, "d": 4})], nowhere).patterns == ()


def test_a_pattern_is_like_itself_and_unlike_its_reverse() -> None:
    one = of(0.9, 0.3, 0.8, 0.2, widths=(20, 20, 20, 20))
    assert similarity(one, one).correlation == pytest.approx(1)
    assert similarity(one, one).beyond == pytest.approx(1)
    other = of(0.2, 0.8, 0.3, 0.9, widths=(20, 20, 20, 20))
    assert (similarity(one, other).correlation or 0) < -0.9
    assert similarity(one, one).trivial == (None, None), "all layers are as wide"


def test_a_likeness_that_wide_layers_explain_says_nothing() -> None:
    """Both keep in proportion to 1 / width; with a little of their own, which is opposite."""
    shares = [1 / 10, 1 / 20, 1 / 40, 1 / 80]
    one = of(*(8 * s * f for s, f in zip(shares, (1, 0.8, 1, 0.8), strict=True)), widths=(10, 20, 40, 80))
    other = of(*(8 * s * f for s, f in zip(shares, (0.8, 1, 0.8, 1), strict=True)), widths=(10, 20, 40, 80))
    alike = similarity(one, other)
    assert (alike.correlation or 0) > 0.9
    assert min(value or 0 for value in alike.trivial) > 0.9
    assert (alike.beyond or 0) < -0.9


def test_networks_of_other_depths_are_held_against_each_other() -> None:
    deep = of(0.9, 0.9, 0.6, 0.6, 0.3, 0.3, widths=(20,) * 6)
    shallow = of(0.9, 0.6, 0.3, widths=(20,) * 3)
    assert (similarity(deep, shallow).correlation or 0) > 0.95


def test_what_keeps_the_same_everywhere_is_like_nothing() -> None:
    flat = of(0.5, 0.5, 0.5, 0.5)
    assert similarity(flat, of(0.9, 0.3, 0.8, 0.2)).correlation is None


def test_guides_follow_each_pattern_at_its_own_budget() -> None:
    one = of(0.9, 0.3, 0.8, 0.2)
    (guide,) = guides_of(Patterns(patterns=(one,)), "vgg11 digits", "j")
    assert guide == Guide(
        name="vgg11 digits slimming", keep=(0.9, 0.3, 0.8, 0.2), budget=BUDGET, job="j", pattern=one.id("j")
    )
    assert one.id("j") == of(0.5, 0.5, 0.5, 0.5).id("j") != one.id("k"), "the same of a job that is run again"


def test_what_following_a_pattern_did_is_told_for_every_baseline() -> None:
    guides = [Guide(name="another network", keep=(0.9, 0.5, 0.3), pattern="p"), Guide(name="other", keep=(0.5,))]
    outcomes = [
        *(outcome("guided", 0.8 + seed / 100, seed=seed) for seed in range(3)),
        *(outcome("uniform", 0.6 + seed / 100, seed=seed) for seed in range(3)),
        *(outcome("random", 0.9 + seed / 100, seed=seed) for seed in range(3)),
        *(outcome("pruned", 0.7 + seed / 100, seed=seed) for seed in range(3)),
    ]
    told = [*transfers("j", TARGET, guides, outcomes, compare(outcomes))]
    assert [(id, one.against, one.answer, one.worth) for id, one in told] == [
        ("p", "uniform", "better", 1),
        ("p", "random", "worse", -1),
    ]
    assert told[0][1].difference == pytest.approx(0.2)
    assert told[0][1].guided.n == told[0][1].baseline.n == 3
    other = MadeBy(espalier="2", torch="0", execution=Execution())
    mixed = [
        (one, seen.model_copy(update={"made_by": other}) if one.arm.role == "baseline" else seen)
        for one, seen in outcomes
    ]
    assert [*transfers("j", TARGET, guides, mixed, compare(mixed))] == [], "what is not compared says nothing"
    assert [*transfers("j", TARGET, guides[1:], outcomes, compare(outcomes))] == [], "it has no place in the library"


def known(found_on: str, *record: tuple[str, str, Any]) -> KnownPattern:
    """A pattern that was found with an architecture on a data set, and followed with and on others."""
    arch, dataset = found_on.split()
    same = Sample(mean=0.5, std=None, n=1)

    def told(place: str, against: str, answer: Any) -> Transfer:
        target = Target(**dict(zip(("arch", "dataset"), place.split(), strict=True)))
        numbers: dict[str, Any] = {"guided": same, "baseline": same, "difference": 0.0, "interval": None}
        return Transfer(job="j", target=target, budget=BUDGET, against=against, answer=answer, **numbers)

    return KnownPattern(
        id="p",
        job="j",
        target=Target(arch=arch, dataset=dataset),
        pattern=of(0.9, 0.3, 0.8, 0.2),
        record=tuple(told(*one) for one in record),
    )


def test_what_worked_there_counts_before_what_worked_nearby_and_where_it_was_found() -> None:
    worst_first = [
        known("vgg11 digits", ("vgg16 cifar10", "uniform", "worse")),
        known("vgg16 cifar10", ("vgg16 mnist", "uniform", "worse")),
        known("vgg11 digits"),
        known("vgg11 digits", ("resnet20 mnist", "uniform", "better")),
        known("vgg16 digits"),
        known("vgg16 cifar10"),
        known("vgg11 digits", ("vgg16 mnist", "uniform", "better")),
        known("vgg11 digits", ("vgg16 cifar10", "uniform", "better")),
    ]
    ranks = [one.rank("vgg16", "cifar10") for one in worst_first]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_without_a_place_all_that_it_did_counts() -> None:
    both = known("vgg11 digits", ("vgg16 mnist", "uniform", "better"), ("vgg16 mnist", "random", "better"))
    one = known("vgg11 digits", ("vgg16 mnist", "uniform", "better"), ("vgg16 mnist", "random", "undecided"))
    assert both.rank(None, None) > one.rank(None, None) > known("vgg11 digits").rank(None, None)
    assert one.rank("vgg16", None)[0] == 1
    assert one.rank("vgg11", None)[0] == 0


def test_guides_of_patterns_with_long_names_are_guides() -> None:
    one = of(0.9, 0.3, 0.8, 0.2).model_copy(update={"name": "n" * 150})
    (guide,) = guides_of(Patterns(patterns=(one,)), "f" * 150, "j")
    assert guide.name.endswith("n" * 150)
    assert len(guide.name) == 200


KERNEL: Kernel = ((0.1, 0.2, 0.1), (0.2, 0.8, 0.2), (0.1, 0.2, 0.1))


def masked(seed: int, scale: float, **changes: Any) -> Any:
    """A result whose single weights are cut, in two stages."""
    one = candidate("pruned", keep=0.1, seed=seed, method="magnitude", **changes)
    kernels = {stage: tuple(tuple(scale * at for at in row) for row in KERNEL) for stage in (0, 2)}
    sparsity = Sparsity(nonzero=Cost(10, 10), density=0.2, layers={}, kernels=kernels)  # type: ignore[arg-type]
    return one, result(one, sparsity=sparsity)


def test_a_pattern_of_single_weights_is_what_kernels_keep_by_stage_over_seeds() -> None:
    (one,) = patterns([masked(0, 1.0), masked(1, 0.5)], ASKED).patterns
    assert (one.name, one.grain, one.seeds, one.groups, one.keep) == ("magnitude", "weight", 2, (), ())
    assert [(stage.stage, stage.channels) for stage in one.stages] == [(0, 10), (2, 40)]
    assert [stage.keep.mean for stage in one.stages] == pytest.approx([0.75 * 2 / 9] * 2)
    assert np.array(one.kernels) == pytest.approx(np.array([KERNEL] * 2) * 0.75)
    (guide,) = guides_of(Patterns(patterns=(one,)), "VGG", "job")
    assert (guide.keep, guide.kernels, guide.pattern) == ((), one.kernels, one.id("job"))


def test_following_single_weights_is_told_to_the_library() -> None:
    origin = candidate("guided_weights").origin
    assert isinstance(origin, GuidedWeights)
    guide = Guide(name=origin.pattern, kernels=origin.kernels, pattern="known")
    outcomes = [
        outcome(kind, accuracy + seed / 1000, seed=seed)
        for seed in range(3)
        for kind, accuracy in (("guided_weights", 0.8), ("uniform_weights", 0.5))
    ]
    (told,) = transfers("there", TARGET, [guide], outcomes, compare(outcomes))
    assert told[0] == "known"
    assert (told[1].answer, told[1].against) == ("better", "uniform_weights")


def test_kernels_alike_beyond_how_many_weights_stay() -> None:
    """A cross and a cross of half as many are alike; a cross and a ring are not, though both stages keep as much."""
    (cross,), (thin,) = (patterns([masked(0, scale)], ASKED).patterns for scale in (1.0, 0.5))
    ring = cross.model_copy(
        update={"stages": tuple(stage.model_copy(update={"kernel": _ring(stage)}) for stage in cross.stages)}
    )
    assert similarity(cross, thin).correlation == pytest.approx(1)
    assert (similarity(cross, ring).correlation or 0) < 0
    assert similarity(cross, thin).trivial == (None, None), "both stages keep as much"


def _ring(stage: Any) -> Kernel:
    most, least = 0.26, 0.01
    return ((most, most, most), (most, least, most), (most, most, most)) if stage.kernel else stage.kernel
