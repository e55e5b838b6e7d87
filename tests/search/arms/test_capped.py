"""Capped widths: one number for the whole network."""

from __future__ import annotations

import pytest

from espalier.models.config import minimum_width
from espalier.models.network import dense
from espalier.search.arms.capped import Capped
from espalier.search.spec import Budget
from tests.search.helpers import derivation

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.25})


@pytest.mark.parametrize("metric", ["params", "macs", "channels"])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 1.0])
def test_no_group_is_wider_than_the_cap_and_none_narrower_without_need(metric: str, keep: float) -> None:
    given = derivation(CONFIG)
    widths = Capped(budget=Budget(metric=metric, keep=keep)).derive(given).network.config.widths  # type: ignore[arg-type]
    cap = max(widths.values())
    for group in given.dense.groups:
        floor = minimum_width(group.width, given.minimum_keep)
        assert widths[group.name] >= min(group.width, max(floor, cap - 1))
        assert widths[group.name] <= max(floor, cap)


def test_it_is_the_same_for_every_seed_and_takes_from_the_widest_alone() -> None:
    budget = Budget(metric="params", keep=0.5)
    one, other = (Capped(budget=budget).derive(derivation(CONFIG, seed=seed)).network for seed in (0, 1))
    assert one.config == other.config
    whole = {group.name: group.width for group in one.groups}
    assert sum(one.widths[name] < width for name, width in whole.items()) < len(whole) / 2 + 1
    assert all(one.widths[name] == width for name, width in whole.items() if width < max(one.widths.values()))
