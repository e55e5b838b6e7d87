"""Trials: the widths that were proposed, as a proxy wants them."""

from __future__ import annotations

import torch

from espalier.models.network import dense
from espalier.search.arms.trial import Trial
from espalier.search.spec import JobSpec
from tests.search.helpers import TARGET, derivation, question

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.25})


def widths(share: float) -> dict[str, int]:
    return {group.name: int(share * group.width) for group in derivation(CONFIG).dense.groups}


def trial(proxy: str, share: float = 0.5) -> Trial:
    return Trial.model_validate({"proxy": proxy, "widths": widths(share), "shares": (share,) * 5})


def test_a_short_one_has_fresh_weights_in_its_widths() -> None:
    given = derivation(CONFIG, seed=3)
    network = trial("short").derive(given).network
    assert network.widths == widths(0.5)
    again = trial("short").derive(given).network
    assert torch.equal(
        network.module.get_parameter("features.0.weight"), again.module.get_parameter("features.0.weight")
    )


def test_an_adaptive_one_has_the_parents_largest_filters_and_statistics_of_its_own() -> None:
    given = derivation(CONFIG, seed=3)
    network, parent = trial("adaptive_bn").derive(given).network, given.parent("parent").network
    assert network.widths == widths(0.5)
    filters = parent.module.get_parameter("features.0.weight").detach()
    largest = filters.flatten(1).abs().sum(1).topk(network.widths["features.0"]).indices.sort().values
    assert torch.equal(network.module.get_parameter("features.0.weight"), filters[largest])
    mean = network.module.get_buffer("features.1.running_mean")
    assert not torch.equal(mean, parent.module.get_buffer("features.1.running_mean")[largest])


def test_it_is_named_by_its_proxy_and_widths_and_says_what_was_chosen() -> None:
    one, other = trial("short"), trial("short", 0.25)
    assert (one.name, trial("adaptive_bn").name) == ("trial by short", "trial by adaptive_bn")
    assert one.detail == trial("adaptive_bn").detail != other.detail
    assert one.parameters == {f"stage {i}": 0.5 for i in range(5)}
    assert (one.role, one.leaves) == ("parent", "notes")
    assert (one.init, trial("adaptive_bn").init) == ("scratch", "untuned")
    assert [*Trial.plan(question(JobSpec(target=TARGET)))] == []
