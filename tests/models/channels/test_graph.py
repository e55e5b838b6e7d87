"""The channel graph: what owns which labels, what is left out, and at how many places layers work."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.channels.graph import BATCH, ChannelGraph, Owned
from tests.models.networks import Tied


def graph_of(*layers: nn.Module) -> ChannelGraph:
    return ChannelGraph(nn.Sequential(*layers))


def test_a_tensor_goes_by_its_first_name_and_others_have_none() -> None:
    net = Tied()
    graph = ChannelGraph(net)
    assert graph.name(net.two.weight) == "one.weight"
    assert graph.name(torch.zeros(3)) == ""


def test_a_tensor_assigned_twice_couples_both_uses() -> None:
    graph = graph_of(nn.Linear(3, 4))
    one, other = graph.labels.new(4), graph.labels.new(4)
    graph.assign("0.weight", 0, one, "out")
    graph.assign("0.weight", 0, other, "out")
    assert graph.labels_of == {("0.weight", 0): one}
    assert graph.roles == {("0.weight", 0): "out"}
    assert [graph.labels.find(label) for label in other] == one


def test_a_dimension_has_labels_once_they_are_asked_for_and_a_role_once_it_is_known() -> None:
    graph = graph_of(nn.Linear(3, 4))
    first = Owned(graph, "0.weight", 0)
    assert first() == graph.axis("0.weight", 0) == first()
    assert graph.roles["0.weight", 0] == "other"
    graph.assign("0.weight", 0, graph.labels.new(4), "out")
    assert graph.roles["0.weight", 0] == "out"
    assert first == Owned(graph, "0.weight", 0) != Owned(graph, "0.weight", 1)


def test_what_only_gives_directions_is_noted() -> None:
    graph = graph_of(nn.Linear(3, 4))
    graph.axis("0.weight", 0)
    graph.direct("0.weight", 0)
    assert graph.roles["0.weight", 0] == "direction"


@pytest.mark.parametrize("before", [True, False])
def test_an_excluded_tensor_keeps_its_labels_whenever_that_is_said(before: bool) -> None:
    graph = graph_of(nn.Linear(3, 4))
    labels = graph.labels.new(4)
    if before:
        graph.exclude(["0.weight"], "why")
    graph.assign("0.weight", 0, labels, "out")
    if not before:
        graph.exclude(["0.weight"], "why")
    assert {graph.labels.reason(label) for label in labels} == {"why"}
    assert graph.reason("0.weight") == "why"
    assert graph.reason("0.bias") == ""


def test_multiply_adds_are_for_one_input_and_add_up() -> None:
    graph = graph_of(nn.Linear(3, 4))
    graph.count("0.weight", BATCH * 5)
    graph.count("0.weight", BATCH)
    assert graph.macs_per_weight == {"0.weight": 6}
    assert graph.positions == {"0": 5}


def test_what_depends_on_no_input_is_computed_once() -> None:
    graph = graph_of(nn.Linear(3, 4))
    graph.count("0.weight", 7)
    assert graph.macs_per_weight == {"0.weight": 7}


def test_a_layer_between_larger_ones_is_of_the_stage_of_what_follows_it() -> None:
    graph = graph_of()
    graph.positions = {"a": 64, "squeezed": 1, "b": 64, "c": 16, "squeezed too": 1, "d": 16, "e": 1}
    assert graph.stages() == {"a": 0, "squeezed": 0, "b": 0, "c": 1, "squeezed too": 1, "d": 1, "e": 2}
