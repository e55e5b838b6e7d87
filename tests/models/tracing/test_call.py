"""A call as the rules see it: arguments, labels along a dimension, numbers that say how many channels there are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from espalier.models.channels.counts import Count, Listed
from espalier.models.channels.labels import NotUnderstood
from espalier.models.channels.value import Value
from espalier.models.tracing.call import Call
from espalier.models.tracing.run import Run

NET = nn.Sequential(nn.Linear(3, 4))


def call(*args: Any, **kwargs: Any) -> Call:
    """A call of a function on an activation of three channels."""
    run, value = Run(NET), torch.empty(2, 3, device="meta")
    run._note(value, Value((None, run.labels.new(3))))
    return Call(run, "add", (value, *args), kwargs, value)


def test_an_argument_is_found_by_place_by_name_and_by_numpys_name() -> None:
    assert call(8).argument(1, "dim") == 8
    assert call(dim=8).argument(1, "dim") == 8
    assert call(axis=8).argument(1, "dim") == 8
    assert call(axis=8).argument(1, "other", 9) == 9
    assert call().argument(1, "dim", 9) == 9


def test_numbers_come_one_by_one_or_as_a_list() -> None:
    assert call(2, 3).numbers(1) == call((2, 3)).numbers(1) == call([2, 3]).numbers(1) == [2, 3]
    assert call(size=(2, 3)).numbers(1, "shape", "size") == [2, 3]
    assert call(dim=2).numbers(1, "dim") == [2]
    assert call().numbers(1, "dim") == []


def test_the_first_argument_must_be_a_tensor() -> None:
    assert call().first[1].labels == [0, 1, 2]
    step = call()
    assert Call(step.run, "f", (), {"input": step.output}, None).tensor is step.output
    with pytest.raises(NotUnderstood, match="takes something else than activations"):
        _ = Call(step.run, "f", (3,), {}, None).tensor


def test_labels_lie_along_one_dimension_and_those_of_others_stay() -> None:
    step = call()
    assert step.along(step.tensor, 1) == step.along(step.tensor, -1) == [0, 1, 2]
    assert step.run.graph.labels.reason(0) is None
    assert len(step.along(step.tensor, 0)) == 2
    assert "works along a dimension that is not the channels" in str(step.labels.reason(0))


def test_where_no_channels_lie_one_label_that_stays_stands_for_all() -> None:
    step = call()
    found = step.known(Value((None,), "why"), 0, 3)
    assert len(set(found)) == 1
    assert step.labels.reason(found[0]) == "why"


def test_a_weight_is_tied_to_labels_or_coupled_with_what_it_was_computed_from() -> None:
    step = call()
    weight = NET[0].weight
    step.tie(weight, 1, [0, 1, 2], "in")
    step.tie(None, 0, [0, 1, 2], "shift")
    assert step.run.graph.labels_of == {("0.weight", 1): [0, 1, 2]}
    assert step.axis(weight, 0, "out") == step.axis(weight, 0, "out") == [3, 4, 5, 6]
    computed = torch.empty(3, device="meta")
    step.run._note(computed, Value((step.labels.new(3),)))  # type: ignore[attr-defined]
    step.tie(computed, 0, [0, 1, 2], "scale")
    assert [step.labels.find(label) for label in (7, 8, 9)] == [0, 1, 2]
    assert step.axis(computed, 0, "out") == [7, 8, 9]


def test_what_meets_a_dimension_without_channels_stays_for_its_reason() -> None:
    step = call()
    step.meet([0], Value((None,), "unknown before"), 0)
    step.meet([1], Value((None,)), 0)
    assert step.labels.reason(0) == "unknown before"
    assert "brings these channels together with what has none" in str(step.labels.reason(1))


def test_a_number_says_how_many_channels_there_are_only_if_it_does_in_every_cut() -> None:
    step = call()
    run, labels = step.run, [0, 1, 2]
    count = Count.of(3, Listed(labels), run)  # type: ignore[arg-type]
    assert step.says(count, labels)
    assert not step.says(3, labels)
    number = int(count)
    assert type(number) is int
    assert step.says(number, labels)
    assert not step.says(4, labels)


def test_what_is_made_as_long_as_a_number_says_has_its_channels() -> None:
    step = call()
    count = Count.of(3, Listed([0, 1, 2]), step.run)  # type: ignore[arg-type]
    assert step.counted(count) == [0, 1, 2]
    assert step.counted(2 * count) == [0, 1, 2, 0, 1, 2]
    assert step.counted(3) is None
    assert step.counted(count + 1) is None
