"""The hold-out: a tenth of every class, and never all of one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.search.datasets.split import HOLDOUT_MOST, held_out


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8))
def test_every_class_gives_its_share_and_keeps_the_rest(counts: list[int]) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    train, out = held_out(y)
    assert sorted([*train, *out]) == list(range(len(y)))
    for label, count in enumerate(counts):
        held = int((y[out] == label).sum())
        assert held == (max(1, round(0.1 * count)) if count > 1 else 0)


def test_a_rare_class_is_in_both() -> None:
    train, out = held_out(np.array([0] * 200 + [1] * 4))
    assert np.bincount(np.array([0] * 200 + [1] * 4)[out]).tolist() == [20, 1]
    assert len(train) == 183


@pytest.mark.parametrize(("count", "holdout"), [(4, 2), (14, 2), (16, 2), (200, 20), (60_000, HOLDOUT_MOST)])
def test_a_tenth_is_held_out_and_at_most_so_many(count: int, holdout: int) -> None:
    assert len(held_out(np.arange(count) % 2)[1]) == holdout


def test_it_is_the_same_every_time_and_in_random_order() -> None:
    y = np.arange(1000) % 10
    first, again = held_out(y), held_out(y)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert all(not np.array_equal(part, np.sort(part)) for part in first)
