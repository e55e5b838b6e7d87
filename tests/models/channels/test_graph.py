"""The channel graph: what owns which labels, what is left out, and at how many places layers work."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.channels.graph import BATCH, ChannelGraph
from espalier.models.channels.labels import NotUnderstood
from tests.models.networks import Tied


def graph_of(*layers: nn.Module) -> ChannelGraph:
    return ChannelGraph(nn.Sequential(*layers))


def test_a_tensor_goes_by_its_first_name_and_others_have_none() -> None:
    net = Tied()
    graph = ChannelGraph(net)
    assert graph.name(net.two.weight) == "one.weight"
    with pytest.raises(NotUnderstood, match="neither parameter nor buffer"):
        graph.name(torch.zeros(3))


def test_a_tensor_assigned_twice_couples_both_uses() -> None:
    graph = graph_of(nn.Linear(3, 4))
    weight = graph.net[0].weight
    one, other = graph.labels.new(4), graph.labels.new(4)
    graph.assign(weight, 0, one, "out")
    graph.assign(weight, 0, other, "out")
    assert graph.labels_of == {("0.weight", 0): one}
    assert graph.roles == {("0.weight", 0): "out"}
    assert [graph.labels.find(label) for label in other] == one


def test_what_is_not_there_is_not_assigned() -> None:
    graph = graph_of(nn.Linear(3, 4, bias=False))
    graph.assign(graph.net[0].bias, 0, graph.labels.new(4), "shift")
    assert not graph.labels_of


@pytest.mark.parametrize("before", [True, False])
def test_an_excluded_tensor_keeps_its_labels_whenever_that_is_said(before: bool) -> None:
    graph = graph_of(nn.Linear(3, 4))
    labels, weight = graph.labels.new(4), graph.net[0].weight
    if before:
        graph.exclude([weight], "why")
    graph.assign(weight, 0, labels, "out")
    if not before:
        graph.exclude([weight, torch.zeros(2)], "why")
    assert {graph.labels.reason(label) for label in labels} == {"why"}


def test_multiply_adds_are_for_one_input_and_add_up() -> None:
    graph = graph_of(nn.Linear(3, 4))
    weight = graph.net[0].weight
    graph.count("0", weight, torch.empty(BATCH, 5, 4, device="meta"), 4)
    graph.count("0", weight, torch.empty(BATCH, 4, device="meta"), 4)
    assert graph.macs_per_weight == {"0.weight": 6}


def test_what_depends_on_no_input_is_computed_once() -> None:
    graph = graph_of(nn.Linear(3, 4))
    graph.count("0", graph.net[0].weight, torch.empty(7, 4, device="meta"), 4)
    assert graph.macs_per_weight == {"0.weight": 7}


def test_a_layer_between_larger_ones_is_of_the_stage_of_what_follows_it() -> None:
    graph = graph_of()
    graph.positions = {"a": 64, "squeezed": 1, "b": 64, "c": 16, "squeezed too": 1, "d": 16, "e": 1}
    assert graph.stages() == {"a": 0, "squeezed": 0, "b": 0, "c": 1, "squeezed too": 1, "d": 1, "e": 2}


def test_the_scale_of_a_layer_is_what_was_assigned_as_one() -> None:
    graph = graph_of(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1))
    graph.assign(graph.net[0].weight, 0, graph.labels.new(4), "scale")
    graph.assign(graph.net[1].weight, 0, graph.labels.new(4), "out")
    assert graph.scale_of(graph.net[0]) == "0.weight"
    assert graph.scale_of(graph.net[1]) is None
