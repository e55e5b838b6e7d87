"""What is known of a tensor."""

from __future__ import annotations

from espalier.models.channels.value import Value


def test_labels_are_those_of_all_dimensions() -> None:
    assert Value((None, [3, 4], None, [5])).labels == [3, 4, 5]
    assert Value((None, None)).labels == []


def test_what_is_moved_is_no_batch_norms_output_any_more() -> None:
    value = Value((None, [1, 2]), "why", True, "weight", "norm.weight")
    assert value.moved([[1, 2], None]) == Value(([1, 2], None), "why", True, "weight", "")
