"""Labels carried through a graph: parameters of the network's own, unknown layers, outputs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.utils.prune
from torch import Tensor, nn

from espalier.models.config import ChannelMask, Slice
from espalier.models.errors import TraceError
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from tests.models.helpers import SMALL, case
from tests.models.networks import Net, OwnNorm, conv


def test_a_parameter_of_the_networks_own_is_cut_with_the_channels_it_scales() -> None:
    net = Net(lambda m, x: m.b(m.a(x) * m.scale), a=conv(3, 8), b=conv(8, 2))
    coupling = trace(net, (3, 8, 8))
    (group,) = coupling.groups
    assert Slice("scale", 0, "other") in group.slices
    cut = prune(net, coupling, ChannelMask({group.name: torch.arange(8) % 2 == 0}))
    assert torch.equal(cut.scale, net.scale[::2])


def test_somebodys_own_batch_norm_freezes_what_reaches_it_and_no_more() -> None:
    coupling = trace(nn.Sequential(conv(3, 8), OwnNorm(8), conv(8, 8), conv(8, 2)), (3, 8, 8))
    assert coupling.kept[0] == ("0", "OwnNorm 1 is not understood")
    assert coupling.widths == {"2": 8}


def test_inputs_and_outputs_of_the_network_stay() -> None:
    for name in SMALL:
        config, net, coupling, inputs = case(name)
        assert net(inputs).shape == (2, config.classes)
        first = next(key for key, value in net.state_dict().items() if value.dim() > 1)
        assert not any(s.tensor == first and s.dim == 1 for group in coupling.groups for s in group.slices)


@pytest.mark.parametrize("lost", [lambda y: y.sum(), lambda y: y.sum(0), lambda y: y.mean((0, 1))])
def test_an_output_that_is_no_row_for_each_image_is_refused(lost: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(TraceError, match="a row for each image"):
        trace(Net(lambda m, x: lost(m.a(x)), a=conv(3, 8)), (3, 8, 8))


def test_masks_that_torch_keeps_beside_weights_are_no_obstacle() -> None:
    net = nn.Sequential(conv(3, 8), conv(8, 8), conv(8, 2))
    torch.nn.utils.prune.random_unstructured(net[1], "weight", 0.5)
    assert [group.layers for group in trace(net, (3, 8, 8)).groups] == []


def test_two_outputs_are_refused() -> None:
    with pytest.raises(TraceError, match="one tensor"):
        trace(Net(lambda m, x: (m.a(x), m.a(x)), a=conv(3, 8)), (3, 8, 8))


def test_a_buffer_is_one_label_an_index_too() -> None:
    net = Net(lambda m, x: m.b(m.a(x) * m.mean.view(1, 8, 1, 1)), a=conv(3, 8), b=conv(8, 2), mean=torch.rand(8))
    coupling = trace(net, (3, 4, 4))
    assert not coupling.groups
    net = Net(lambda m, x: m.b(m.a(x) * m.mean), a=conv(3, 8), b=conv(8, 2), mean=torch.rand(8, 1, 1))
    coupling = trace(net, (3, 4, 4))
    assert coupling.widths == {"a": 8}
    cut = prune(net, coupling, ChannelMask({"a": torch.arange(8) > 2}))
    assert torch.equal(cut.mean, net.mean[3:])


def test_a_parameter_of_several_dimensions_keeps_what_it_meets() -> None:
    net = Net(lambda m, x: m.b(m.a(x) * m.p), a=conv(3, 8), b=conv(8, 2), p=nn.Parameter(torch.rand(8, 4, 4)))
    assert ("a", "p is used by more than its layer") in trace(net, (3, 4, 4)).kept


def test_what_stands_behind_something_unknown_stays_for_the_first_reason() -> None:
    net = Net(
        lambda m, x: m.c(m.b(torch.cumsum(m.a(x), 1)) + torch.cumsum(m.a(x), 1)),
        a=conv(3, 8),
        b=conv(8, 8),
        c=conv(8, 2),
    )
    coupling = trace(net, (3, 4, 4))
    assert coupling.kept[:2] == (("a", "cumsum is not understood"), ("b", "cumsum is not understood"))


def test_a_layer_with_a_hook_is_not_understood() -> None:
    layer = conv(8, 8)
    layer.register_forward_hook(lambda _m, _i, output: output.flip(1))
    coupling = trace(nn.Sequential(conv(3, 8), layer, conv(8, 2)), (3, 4, 4))
    assert ("0", "Conv2d 1 is not understood") in coupling.kept
    assert not coupling.groups
