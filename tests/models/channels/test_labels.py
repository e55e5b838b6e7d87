"""Labels: what is merged lives or dies together, and the first reason to stay counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.models.channels.labels import Labels


def test_new_labels_have_nothing_in_common() -> None:
    labels = Labels()
    assert labels.new(2) + labels.new(3) == [0, 1, 2, 3, 4]
    assert [labels.find(label) for label in range(5)] == [0, 1, 2, 3, 4]


def test_merging_is_pairwise_and_the_lowest_label_stands_for_all() -> None:
    labels = Labels()
    one, other = labels.new(3), labels.new(3)
    labels.merge(other, one)
    assert [labels.find(label) for label in other] == one


@given(pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_merged_labels_are_those_that_a_chain_of_pairs_connects(pairs: list[tuple[int, int]]) -> None:
    labels, sets = Labels(), [{label} for label in range(10)]
    labels.new(10)
    for one, other in pairs:
        labels.merge([one], [other])
        joined = next(s for s in sets if one in s) | next(s for s in sets if other in s)
        sets = [s for s in sets if not s & joined] + [joined]
    expected = [min(next(s for s in sets if label in s)) for label in range(10)]
    assert [labels.find(label) for label in range(10)] == expected
    assert labels.roots()[0].tolist() == expected


def test_lists_of_other_lengths_are_not_merged() -> None:
    labels = Labels()
    with pytest.raises(ValueError, match="zip"):
        labels.merge(labels.new(2), labels.new(3))


def test_the_first_reason_counts() -> None:
    labels = Labels()
    (one,) = labels.new(1)
    assert labels.reason(one) is None
    labels.keep([one], "first")
    labels.keep([one], "second")
    assert labels.reason(one) == "first"


@pytest.mark.parametrize("kept", [0, 1])
def test_what_is_coupled_to_a_kept_channel_stays_for_its_reason(kept: int) -> None:
    labels = Labels()
    labels.new(3)
    labels.keep([kept], "why")
    labels.merge([0], [1])
    assert [labels.reason(label) for label in range(3)] == ["why", "why", None]
    roots, stays = labels.roots()
    assert roots.tolist() == [0, 0, 2]
    assert stays.tolist() == [True, True, False]


def test_of_two_kept_labels_the_lower_ones_reason_stays() -> None:
    labels = Labels()
    labels.new(2)
    labels.keep([1], "of one")
    labels.keep([0], "of zero")
    labels.merge([0], [1])
    assert labels.reason(1) == "of zero"


def test_no_labels_have_no_roots() -> None:
    roots, kept = Labels().roots()
    assert len(roots) == len(kept) == 0


def test_blocks_are_coupled_place_by_place() -> None:
    labels = Labels()
    all_of_them = labels.new(6)
    assert labels.blocks(all_of_them, 3) == [0, 1]
    assert [labels.find(label) for label in all_of_them] == [0, 1, 0, 1, 0, 1]
    assert labels.blocks(all_of_them, 1) is all_of_them
