"""One step of a traced network: its arguments, whether given by place or by name, and what is known of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import fx, nn

from espalier.models.channels.call import Call
from espalier.models.channels.graph import ChannelGraph
from espalier.models.channels.labels import Channels, NotUnderstood


def call(*args: Any, inputs: int = 1, **kwargs: Any) -> Call:
    """A call of a function on so many activations of three channels."""
    graph = fx.Graph()
    sources = [graph.placeholder(f"x{index}") for index in range(inputs)]
    node = graph.call_function(torch.add, tuple(sources))
    value, channels = torch.empty(2, 3, device="meta"), Channels(1, [0, 1, 2])
    known = dict.fromkeys(sources, channels)
    return Call(
        ChannelGraph(nn.Sequential()), "add", node, None, args, kwargs, [(value, channels)] * inputs, value, known
    )


def test_an_argument_is_found_by_place_by_name_and_by_numpys_name() -> None:
    assert call(7, 8).argument(1, "dim") == 8
    assert call(7, dim=8).argument(1, "dim") == 8
    assert call(7, axis=8).argument(1, "dim") == 8
    assert call(7, axis=8).argument(1, "other", 9) == 9
    assert call(7).argument(1, "dim", 9) == 9


def test_the_first_activation_is_the_first_traced_one() -> None:
    assert call().labels(1) == [0, 1, 2]
    with pytest.raises(NotUnderstood, match="add has no traced input"):
        _ = call(inputs=0).first
    with pytest.raises(NotUnderstood, match="add works along a dimension that is not the channels"):
        call().labels(0)


def test_an_activation_is_found_by_its_node_and_nothing_else_is() -> None:
    step = call(inputs=2)
    assert step.traced(step.node.args[1]) is step.inputs[1]
    with pytest.raises(NotUnderstood, match="add takes something else than activations"):
        step.traced(3)


def test_a_number_that_is_written_out_stays() -> None:
    assert call().stays(3)
    assert not call().stays("three")
