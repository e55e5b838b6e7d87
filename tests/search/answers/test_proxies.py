"""Whether a proxy ranks networks as their full training does."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.models.config import ChannelConfig
from espalier.search.answers.proxies import proxies, told
from espalier.search.answers.verdict import answer
from espalier.search.arms.trial import Trial
from espalier.search.results import Metric
from tests.search.helpers import candidate, result

KINDS = ("uniform", "random", "capped", "pruned")


def config(number: int, **changes: Any) -> ChannelConfig:
    return ChannelConfig.of_classifier("vgg11", {}, 10, (1, 32, 32), {"a": number}).model_copy(update=changes)


def job(proxy: list[float], final: list[float], seed: int = 0, keep: float = 0.5, **changes: Any) -> list[Any]:
    """Networks of one seed and budget, their proxies and what they reach."""
    found = []
    for number, (kind, guess, accuracy) in enumerate(zip(KINDS, proxy, final, strict=False), 1):
        widths = {"a": number + round(100 * keep)}
        trial = candidate("uniform", seed=seed).model_copy(
            update={"origin": Trial(proxy="adaptive_bn", widths=widths, shares=(0.5,))}
        )
        found.append((trial, result(trial, guess, **changes)))
        full = candidate(kind, seed=seed, keep=keep)
        found.append((full, result(full, accuracy, config=config(widths["a"]), **changes)))
    return found


@pytest.mark.parametrize(
    ("proxy", "final", "correlation"),
    [
        ([0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.9], 1.0),
        ([0.4, 0.3, 0.2, 0.1], [0.5, 0.6, 0.7, 0.9], -1.0),
        ([0.1, 0.2, 0.3, 0.4], [0.5, 0.7, 0.6, 0.9], 0.8),
        ([0.1, 0.1, 0.3, 0.4], [0.5, 0.7, 0.6, 0.9], 0.6324555),  # scipy.stats.spearmanr
        ([0.1, 0.2], [0.5, 0.6], None),
        ([0.1, 0.1, 0.1, 0.1], [0.5, 0.6, 0.7, 0.9], None),
    ],
)
def test_it_is_spearmans_correlation(proxy: list[float], final: list[float], correlation: float | None) -> None:
    (found,) = proxies(job(proxy, final))
    assert (found.proxy, str(found.budget), found.networks) == ("adaptive_bn", "params=0.5", len(proxy))
    assert found.rank_correlation == (correlation if correlation is None else pytest.approx(correlation))


def test_networks_are_ranked_among_those_of_their_seed_and_budget() -> None:
    """Another parent lifts all proxies of a seed, and a larger budget all accuracies."""
    outcomes = job([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]) + job([0.8, 0.9, 0.7], [0.5, 0.6, 0.4], seed=1)
    found = proxies(outcomes + job([0.3, 0.2, 0.1], [0.8, 0.9, 1.0], keep=0.7))
    assert [(str(one.budget), one.networks, one.rank_correlation) for one in found] == [
        ("params=0.5", 6, pytest.approx(1)),
        ("params=0.7", 3, pytest.approx(-1)),
    ]


def test_where_seeds_share_a_parent_its_proxies_are_theirs() -> None:
    first = job([0.1, 0.2, 0.3], [0.5, 0.6, 0.7])
    other = [one for one in job([0.0] * 3, [0.7, 0.6, 0.5], seed=1) if not isinstance(one[0].origin, Trial)]
    (found,) = proxies(first + other)
    assert (found.networks, found.rank_correlation) == (6, pytest.approx(0))


def test_where_less_is_better_so_it_is_for_proxies() -> None:
    error = Metric(name="accuracy", higher_is_better=False)
    (found,) = proxies(job([0.1, 0.2, 0.3], [0.5, 0.6, 0.7], metric=error))
    assert found.rank_correlation == pytest.approx(1)


def test_only_full_trainings_from_scratch_without_a_mask_count() -> None:
    outcomes = job([0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.9])
    one, found = outcomes[-1]
    inherited = one.model_copy(update={"origin": one.origin.model_copy(update={"init": "inherited"})})
    longer = one.model_copy(update={"recipe": one.recipe.model_copy(update={"match": "compute"})})
    masked = found.model_copy(update={"config": found.config.model_copy(update={"mask": "m"})})
    for other in ((inherited, found), (longer, found), (one, masked)):
        assert proxies([*outcomes[:-1], other])[0].networks == 3
    assert proxies(outcomes[1::2]) == []


def test_a_poor_proxy_is_said_to_be_one() -> None:
    good, poor, few = (proxies(job(*one)) for one in (
        ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]), ([0.3, 0.2, 0.1], [0.5, 0.6, 0.7]), ([0.1], [0.5]),
    ))  # fmt: skip
    assert [*told(good)] == [
        "Over 3 networks at params=0.5, the ranking by adaptive_bn has a correlation of 1.00 with that by full training."
    ]
    assert next(told(poor)).endswith("of -1.00 with that by full training, too little to choose by.")
    assert next(told(few)).startswith("Whether adaptive_bn ranks networks as full training does cannot be told")
    assert "too little to choose by" in answer(job([0.3, 0.2, 0.1], [0.5, 0.6, 0.7])).summary
