"""Patterns: what is kept by stage and depth, over seeds, and how alike two are."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.models.config import ChannelConfig
from espalier.search.answers.patterns import Pattern, Place, pattern, patterns, similarity
from espalier.search.spec import Budget
from tests.search.helpers import candidate, outcome, result

BUDGET = Budget(metric="params", keep=0.1)
PLACES = [Place("a", 10, 0), Place("b", 20, 1), Place("c", 20, 1), Place("d", 40, 2)]


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
    (one,) = patterns(outcomes, PLACES).patterns
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
    (one,) = patterns(outcomes, PLACES).patterns
    assert one.groups[0].keep.n == 2


def test_what_has_no_widths_has_no_pattern() -> None:
    masked, seen = found("pruned", {"a": 5, "b": 10, "c": 20, "d": 4})
    outcomes = [
        (masked, seen.model_copy(update={"config": seen.config.model_copy(update={"mask": "m"})})),
        found("pruned", {"e": 1}, method="taylor"),
    ]
    assert patterns(outcomes, PLACES).patterns == patterns([], PLACES).patterns == patterns(outcomes, []).patterns == ()


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
