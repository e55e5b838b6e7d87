"""Tracing: couplings that are known by hand, and what must be frozen rather than guessed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import Tensor, nn

from espalier.models.channels.rules import elementwise
from espalier.models.config import ChannelMask, Selection, Slice
from espalier.models.errors import ArchitectureError, TraceError
from espalier.models.surgery import prune
from espalier.models.tracing import operations
from espalier.models.tracing.trace import trace
from tests.models.helpers import SMALL, case


def conv(inputs: int, outputs: int, **options: object) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)  # type: ignore[arg-type]


class Net(nn.Module):
    """Layers by name, and a forward given as a function of them."""

    def __init__(self, forward: object, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.scale = nn.Parameter(torch.rand(8, 1, 1))
        self.register_buffer("few", torch.arange(4))
        self.register_buffer("all", torch.arange(8))
        self._forward = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._forward(self, x)  # type: ignore[operator, no-any-return]


def test_a_chain_couples_producer_norm_and_consumer() -> None:
    net = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 4))
    (group,) = trace(net, (3, 8, 8)).groups
    assert (group.name, group.width, group.layers) == ("0", 8, ("0", "1", "3"))
    assert set(group.slices) == {
        Slice("0.weight", 0, "out"), Slice("0.bias", 0, "shift"), Slice("1.weight", 0, "scale"), Slice("1.bias", 0, "shift"),
        Slice("1.running_mean", 0, "statistic"), Slice("1.running_var", 0, "statistic"), Slice("3.weight", 1, "in"),
    }  # fmt: skip


def test_a_sum_couples_its_terms() -> None:
    net = Net(lambda m, x: m.c(m.a(x) + m.b(x)), a=conv(3, 8), b=conv(3, 8), c=conv(8, 2))
    (group,) = trace(net, (3, 8, 8)).groups
    assert {(s.tensor, s.dim) for s in group.slices} >= {("a.weight", 0), ("b.weight", 0), ("c.weight", 1)}


def test_a_concatenation_keeps_its_parts_apart() -> None:
    net = Net(lambda m, x: m.c(torch.cat([m.a(x), m.b(x)], 1)), a=conv(3, 8), b=conv(3, 5), c=conv(13, 2))
    first, second = trace(net, (3, 8, 8)).groups
    assert Slice("c.weight", 1, "in", 0) in first.slices
    assert Slice("c.weight", 1, "in", 8) in second.slices


def test_the_same_tensor_joined_twice_is_one_group_in_two_places() -> None:
    net = Net(lambda m, x: m.c((lambda y: torch.cat([y, y], 1))(m.a(x))), a=conv(3, 8), c=conv(16, 2))
    (group,) = trace(net, (3, 8, 8)).groups
    assert {s.start for s in group.slices if s.tensor == "c.weight"} == {0, 8}


def test_a_flatten_gives_each_channel_a_block_of_columns() -> None:
    net = nn.Sequential(conv(3, 6), nn.Flatten(), nn.Linear(6 * 16, 10))
    (group,) = trace(net, (3, 4, 4)).groups
    assert Slice("2.weight", 1, "in", 0, 16) in group.slices


@pytest.mark.parametrize("flatten", [lambda x: x.view(x.size(0), -1), lambda x: torch.flatten(x, 1)])
def test_other_ways_to_flatten(flatten: object) -> None:
    net = Net(lambda m, x: m.f(flatten(m.a(x))), a=conv(3, 6), f=nn.Linear(6 * 16, 10))  # type: ignore[operator]
    assert len(trace(net, (3, 4, 4)).groups) == 1


def test_a_depthwise_convolution_passes_its_channels_through() -> None:
    net = nn.Sequential(conv(3, 8), conv(8, 8, groups=8), conv(8, 4))
    coupling = trace(net, (3, 8, 8))
    (group,) = coupling.groups
    assert {s.tensor for s in group.slices} >= {"0.weight", "1.weight", "2.weight"}
    cut = prune(net, coupling, ChannelMask({"0": torch.arange(8) < 5}))
    assert (cut[1].groups, cut[1].in_channels, cut[1].out_channels) == (5, 5, 5)  # type: ignore[index, union-attr]


def test_a_grouped_convolution_stays_evenly_grouped() -> None:
    net = nn.Sequential(conv(3, 8), conv(8, 12, groups=4), conv(12, 4))
    coupling = trace(net, (3, 8, 8))
    inner, outer = coupling.groups
    assert (inner.width, outer.width) == (2, 3)
    prune(net, coupling, ChannelMask({"0": torch.tensor([True, False]), "1": torch.arange(3) > 0}))


def test_a_layer_used_twice_couples_both_uses() -> None:
    net = Net(lambda m, x: m.c(m.b(m.b(m.a(x)))), a=conv(3, 8), b=conv(8, 8), c=conv(8, 2))
    (group,) = trace(net, (3, 8, 8)).groups
    assert {(s.tensor, s.dim) for s in group.slices} >= {("b.weight", 0), ("b.weight", 1)}


def test_a_parameter_of_the_networks_own_is_cut_with_the_channels_it_scales() -> None:
    net = Net(lambda m, x: m.b(m.a(x) * m.scale), a=conv(3, 8), b=conv(8, 2))
    coupling = trace(net, (3, 8, 8))
    (group,) = coupling.groups
    assert Slice("scale", 0, "other") in group.slices
    cut = prune(net, coupling, ChannelMask({group.name: torch.arange(8) % 2 == 0}))
    assert torch.equal(cut.scale, net.scale[::2])


def test_channels_are_followed_where_they_lie_last() -> None:
    """As in ConvNeXt: linear layers on [batch, height, width, channels]; what the layer norm sees stays whole."""

    def forward(m: Net, x: Tensor) -> Tensor:
        y = torch.permute(m.stem(x), (0, 2, 3, 1))  # type: ignore[operator]
        y = m.down(F.gelu(m.up(m.norm(y))))  # type: ignore[operator]
        return m.out(y.permute(0, 3, 1, 2))  # type: ignore[operator, no-any-return]

    net = Net(
        forward, stem=conv(3, 8), norm=nn.LayerNorm(8), up=nn.Linear(8, 32), down=nn.Linear(32, 6), out=conv(6, 2)
    )
    coupling = trace(net, (3, 4, 4))
    assert [group.layers for group in coupling.groups] == [("up", "down"), ("down", "out")]
    assert ("stem", "norm normalises over channels") in coupling.kept
    prune(net, coupling, ChannelMask({"up": torch.arange(32) < 9, "down": torch.arange(6) > 1}))


def test_a_selection_frees_what_reads_a_stream_and_keeps_the_stream() -> None:
    net = Net(
        lambda m, x: m.b(torch.index_select(m.bn(m.a(x)), 1, m.all)), a=conv(3, 8), bn=nn.BatchNorm2d(8), b=conv(8, 2)
    )
    coupling = trace(net, (3, 8, 8))
    (group,) = coupling.groups
    assert set(group.slices) == {Slice("all", 0, "index"), Slice("b.weight", 1, "in")}
    assert group.selection == Selection(Slice("all", 0, "index"), "bn.weight")
    assert coupling.kept[0] == ("a", "read through all, which selects from it")
    cut = prune(net, coupling, ChannelMask({group.name: torch.tensor([0, 1, 0, 0, 1, 1, 0, 0]).bool()}))
    assert cut.get_buffer("all").tolist() == [1, 4, 5]


def test_squeeze_and_excitation_is_coupled_to_what_it_scales() -> None:
    def forward(m: Net, x: Tensor) -> Tensor:
        y = m.a(x)  # type: ignore[operator]
        scale = m.up(F.relu(m.down(F.adaptive_avg_pool2d(y, 1)))).sigmoid()  # type: ignore[operator]
        return m.b(y * scale)  # type: ignore[operator, no-any-return]

    net = Net(forward, a=conv(3, 8), down=nn.Conv2d(8, 2, 1), up=nn.Conv2d(2, 8, 1), b=conv(8, 2))
    wide, narrow = trace(net, (3, 8, 8)).groups
    assert (wide.width, narrow.width, wide.stage, narrow.stage) == (8, 2, 0, 0)
    assert {part.tensor for part in wide.slices} >= {"a.weight", "down.weight", "up.weight", "b.weight"}


def unpacked(y: Tensor, squeezed: Callable[[Tensor], Tensor]) -> Tensor:
    b, c, _, _ = y.size()
    return y * squeezed(F.adaptive_avg_pool2d(y, 1).view(b, c)).view(b, c, 1, 1).expand_as(y)


@pytest.mark.parametrize(
    "scale",
    [
        lambda y, s: y * s(y.mean((2, 3))).view(y.size(0), y.size(1), 1, 1),
        unpacked,
        lambda y, s: y * s(y.mean((2, 3))).reshape((-1, y.shape[1], 1, 1)),
        lambda y, s: y * s(y.mean((2, 3))).view(y.shape[0], -1, 1, 1),
        lambda y, s: y * s(y.mean((2, 3))).unsqueeze(2).unsqueeze(-1),
        lambda y, s: y * torch.unsqueeze(torch.unsqueeze(s(y.mean((2, 3))), -1), -1),
        lambda y, s: y * s(y.view(y.size(0), y.size(1), -1).mean(2)).view(y.size(0), y.size(1), 1, 1),
        lambda y, s: (
            y * s(y.view(y.size(0), y.size(1), y.size(2) * y.size(3)).mean(2)).view(-1, y.size(1), 1, y.size(3) // 8)
        ),
    ],
)
def test_ways_to_write_squeeze_and_excitation(scale: object) -> None:
    def forward(m: Net, x: Tensor) -> Tensor:
        y = m.a(x)  # type: ignore[operator]
        squeezed = lambda z: m.up(F.relu(m.down(z))).sigmoid()  # type: ignore[operator] # noqa: E731
        return m.b(scale(y, squeezed))  # type: ignore[operator, no-any-return]

    net = Net(forward, a=conv(3, 8), down=nn.Linear(8, 4), up=nn.Linear(4, 8), b=conv(8, 2))
    coupling = trace(net, (3, 8, 8))
    assert [(group.name, group.width) for group in coupling.groups] == [("a", 8), ("down", 4)]
    prune(net, coupling, ChannelMask({"a": torch.arange(8) % 3 > 0, "down": torch.arange(4) > 1}))


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.b(m.a(x) * torch.sigmoid(m.one(x))),
        lambda m, x: m.b(torch.sigmoid(m.one(x)) + m.a(x)),
        lambda m, x: m.b((lambda y: y * torch.sigmoid(m.gate(y)))(m.a(x))),
    ],
)
def test_one_channel_may_gate_all_of_them(forward: object) -> None:
    net = Net(forward, a=conv(3, 8), b=conv(8, 2), one=conv(3, 1), gate=conv(8, 1))
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"a": 8}
    prune(net, coupling, ChannelMask({"a": torch.arange(8) % 3 > 0}))


@pytest.mark.parametrize(
    "layer",
    [
        nn.PReLU(8),
        nn.PReLU(),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ZeroPad2d(1),
        nn.ReflectionPad2d((1, 0, 2, 1)),
        nn.ReplicationPad2d(2),
    ],
    ids=str,
)
def test_layers_that_see_each_channel_by_itself(layer: nn.Module) -> None:
    net = nn.Sequential(conv(3, 8), layer, conv(8, 2))
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"0": 8}
    prune(net, coupling, ChannelMask({"0": torch.arange(8) % 3 > 0}))


def test_channels_that_live_or_die_together_are_named_as_such() -> None:
    """Two channels that a grouped convolution ties to each other cannot be thinned, and it is said why."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1, groups=2), nn.Conv2d(2, 2, 1, groups=2), conv(2, 3))
    coupling = trace(net, (3, 8, 8))
    assert [group.name for group in coupling.groups] == ["0"]
    assert ("1", "its channels can only be kept or cut all together") in coupling.kept


def test_option_a_shortcuts_couple_the_first_channels_of_the_next_stage() -> None:
    groups = case("resnet20").coupling.groups
    trunk = next(group for group in groups if group.name == "conv1")
    widened = [group for group in groups if group.name in ("blocks.3.conv2", "blocks.6.conv2")]
    assert {s.start for s in trunk.slices} == {0}
    assert [min(s.start for s in group.slices) for group in widened] == [trunk.width, 2 * trunk.width]


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda m, x: m.b(torch.softmax(m.a(x), 1)), "softmax"),
        (lambda m, x: m.b(m.a(x) * m.a(x).mean(1, keepdim=True)), "reduces over channels"),
        (lambda m, x: m.b(F.pad(m.a(x), (0, 0, 0, 0, 1, 1))[:, 1:-1]), "takes some of the channels"),
        (lambda m, x: m.b(m.a(x)[:, torch.arange(8)]), "getitem"),
        (lambda m, x: m.b(m.a(x).view(x.size(0), 8, 8, 8)), "view has sizes that would not fit"),
        (lambda m, x: m.b((lambda y: y.view(-1, y.size(2), 8, 8))(m.a(x))), "view has sizes that would not fit"),
        (lambda m, x: m.b((lambda y: y.view(y.size(0), -1, y.size(1), 8))(m.a(x))), "view rearranges channels"),
        (
            lambda m, x: m.b((lambda y: y.view(-1, m.a(x).size(1) * 1, 8, 8))(m.a(x))),
            "view has sizes that would not fit",
        ),
        (lambda m, x: m.b(torch.cat(m.a(x).chunk(2, 1)[::-1], 1)), "chunk"),
        (lambda m, x: m.b((lambda y: y * y.mean((2, 3)).unsqueeze(1).unsqueeze(1))(m.a(x))), "broadcasts"),
        (lambda m, x: m.b(1 / m.a(x)), "divides by a tensor"),
        (lambda m, x: m.b((lambda y: y / y.shape[1])(m.a(x))), "computes with the number of these channels"),
        (lambda m, x: m.b((lambda y: y * y.size(1))(m.a(x))), "computes with the number of these channels"),
        (lambda m, x: m.b(F.group_norm(m.a(x), 2)), "group_norm normalises over channels"),
        (lambda m, x: m.b(m.a(x)[:, ::2].repeat(1, 2, 1, 1)), "takes some of the channels"),
        (lambda m, x: m.b(F.conv2d(m.a(x), torch.ones(8, 8, 1, 1, device=x.device))), "conv2d is not understood"),
        (lambda m, x: m.b(torch.index_select(m.a(x), 1, m.few).repeat(1, 2, 1, 1)), "than each channel once"),
    ],
)
def test_what_is_not_understood_is_frozen_with_a_reason(forward: object, reason: str) -> None:
    coupling = trace(Net(forward, a=conv(3, 8), b=conv(8, 2), one=conv(3, 1)), (3, 8, 8))
    assert not coupling.groups
    assert any(layer == "a" and reason in why for layer, why in coupling.kept), coupling.kept


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.c(torch.cat([m.a(x) / (z := m.z(x)).size(1), z], 1)),
        lambda m, x: m.c(torch.cat([m.a(x) * (z := m.z(x)).size(1), z], 1)),
        lambda m, x: m.c(torch.cat([m.a(x), F.leaky_relu(z := m.z(x), 1 / z.size(1))], 1)),
        lambda m, x: m.c(torch.cat([m.a(x), F.adaptive_avg_pool2d(z := m.z(x), z.size(1))], 1)),
        lambda m, x: m.c(torch.cat([m.a(x), (z := m.z(x))[:, :, : z.size(1)]], 1)),
        lambda m, x: m.c(torch.cat([(y := m.a(x)), y.new_zeros(y.size(0), m.z(x).shape[1], 8, 8)], 1)),
        lambda m, x: m.c(torch.cat([m.a(x), m.one(x).expand(-1, m.z(x).size(1), -1, -1)], 1)),
        lambda m, x: m.c(torch.cat([m.a(x), F.group_norm(m.few(x), m.z(x).size(1) // 8)], 1)),
    ],
)
def test_channels_stay_where_their_number_is_computed_with(forward: object) -> None:
    layers = {"a": conv(3, 8), "z": conv(3, 8), "c": conv(16, 2), "one": conv(3, 1)}
    net = Net(forward, **layers)
    net.few = conv(3, 8)  # type: ignore[assignment]
    coupling = trace(net, (3, 8, 8))
    assert "z" not in coupling.widths
    cut = prune(net, coupling, ChannelMask({name: torch.arange(8) % 3 > 0 for name in coupling.widths}))
    assert cut(torch.zeros(2, 3, 8, 8)).shape == (2, 2, 8, 8)


def test_zeros_may_make_up_for_another_activations_channels() -> None:
    """Option A as it is usually written: by a number, by the difference, on one side or on both."""

    def follow(m: Net, x: Tensor) -> Tensor:
        y, z = m.a(x), m.z(x)  # type: ignore[operator]
        return m.c(z + F.pad(y, (0, 0, 0, 0, z.size(1) - y.size(1), 0)))  # type: ignore[operator, no-any-return]

    def fixed(m: Net, x: Tensor) -> Tensor:
        return m.c(m.z(x) + F.pad(m.a(x), (0, 0, 0, 0, 4, 4)))  # type: ignore[operator, no-any-return]

    def halves(m: Net, x: Tensor) -> Tensor:
        y, z = m.a(x), m.z(x)  # type: ignore[operator]
        more = (z.size(1) - y.size(1)) // 2
        return m.c(z + F.pad(y, (0, 0, 0, 0, more, more)))  # type: ignore[operator, no-any-return]

    for forward, widths in ((follow, [8, 8]), (fixed, [8]), (halves, [])):
        net = Net(forward, a=conv(3, 8), z=conv(3, 16), c=conv(16, 2))
        coupling = trace(net, (3, 8, 8))
        assert sorted(coupling.widths.values()) == widths
        prune(net, coupling, ChannelMask({name: torch.arange(8) % 3 > 0 for name in coupling.widths}))


def test_a_grouped_convolution_of_two_channels_a_group_is_no_depthwise_one() -> None:
    net = nn.Sequential(conv(3, 8), nn.Conv2d(8, 32, 1, groups=4), conv(32, 3))
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"0": 2, "1": 8}
    prune(net, coupling, ChannelMask({"0": torch.tensor([True, False]), "1": torch.arange(8) % 3 > 0}))


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.c(torch.cat([(y := m.a(x)), y * y.size(2)], 1)),
        lambda m, x: m.c(torch.cat([(s := torch.softmax(m.z(x), 1)), F.relu(s)], 1) * m.a(x).mean()),
        lambda m, x: m.c(F.relu(torch.cat([m.a(x), m.z(x)], 1)[..., ::2, ::2]).view(x.size(0), 16, 4, 4)),
    ],
)
def test_what_runs_is_never_refused_as_a_whole(forward: object) -> None:
    trace(Net(forward, a=conv(3, 8), z=conv(3, 8), c=conv(16, 2)), (3, 8, 8))


@pytest.mark.parametrize(
    "index", [(..., None, None), (slice(None), slice(None), None, None), (slice(None), slice(0, 99))]
)
def test_an_index_that_leaves_the_channels_whole(index: tuple[object, ...]) -> None:
    net = Net(
        lambda m, x: m.b((y := m.a(x)) * (y.mean((2, 3)) if None in index else y)[index]), a=conv(3, 8), b=conv(8, 2)
    )
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"a": 8}
    prune(net, coupling, ChannelMask({"a": torch.arange(8) % 3 > 0}))


@pytest.mark.parametrize(
    ("forward", "layers"),
    [
        (lambda m, x: m.b(m.a(x) * torch.softmax(m.one(x).flatten(2), 2).view(x.size(0), 1, 8, 8)), {}),
        (lambda m, x: m.b(m.a(x).flatten(2).sum(2)), {"b": nn.Linear(8, 2)}),
        (lambda m, x: m.b(torch.clamp(m.a(x), 0.1, 2) / 3), {}),
        (lambda m, x: m.b(torch.maximum(m.a(x), m.a(x))), {}),
        (lambda m, x: m.b(m.a(x) * m.vector.view(1, -1, 1, 1)), {}),
        (lambda m, x: m.b(m.a(x) * m.vector[None, :, None, None]), {}),
        (lambda m, x: m.b(m.a(x - m.mean)), {}),
    ],
)
def test_common_code_leaves_channels_prunable(forward: object, layers: dict[str, nn.Module]) -> None:
    net = Net(forward, a=conv(3, 8), **{"b": conv(8, 2), "one": conv(3, 1), **layers})
    net.vector, net.mean = nn.Parameter(torch.rand(8)), torch.rand(1, 3, 1, 1)
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"a": 8}
    prune(net, coupling, ChannelMask({"a": torch.arange(8) % 3 > 0}))


def test_somebodys_own_batch_norm_freezes_what_reaches_it_and_no_more() -> None:
    class Own(nn.BatchNorm2d):
        """Tracing enters it as little as torch's."""

    coupling = trace(nn.Sequential(conv(3, 8), Own(8), conv(8, 8), conv(8, 2)), (3, 8, 8))
    assert coupling.kept[0] == ("0", "Own 1 is not understood")
    assert coupling.widths == {"2": 8}


def test_padding_space_by_a_number_of_channels_keeps_them() -> None:
    net = Net(lambda m, x: m.b(F.pad(y := m.a(x), (0, y.size(1) - 8))), a=conv(3, 8), b=conv(8, 2))
    assert not trace(net, (3, 8, 8)).groups


def test_layers_without_shapes_are_named() -> None:
    with pytest.raises(ArchitectureError, match=r"shape of 0.weight is not known before it has run once"):
        trace(nn.Sequential(nn.LazyConv2d(8, 3), conv(8, 2)), (3, 8, 8))


def test_networks_of_other_precisions_are_traced() -> None:
    net = nn.Sequential(conv(3, 8), nn.Softmax(1), conv(8, 8), conv(8, 3)).double()
    assert trace(net, (3, 8, 8)).widths == {"2": 8}


def test_a_subclass_of_a_known_layer_is_not_known() -> None:
    class Odd(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.flip(1))

    coupling = trace(nn.Sequential(conv(3, 8), Odd(8, 8, 1), conv(8, 2)), (3, 8, 8))
    assert not coupling.groups


def test_inputs_and_outputs_of_the_network_stay() -> None:
    for name in SMALL:
        config, net, coupling, inputs = case(name)
        assert net(inputs).shape == (2, config.classes)
        first = next(key for key, value in net.state_dict().items() if value.dim() > 1)
        assert not any(s.tensor == first and s.dim == 1 for group in coupling.groups for s in group.slices)


def test_control_flow_that_depends_on_data_is_refused() -> None:
    net = Net(lambda m, x: m.a(x) if x.sum() > 0 else m.a(-x), a=conv(3, 8))
    with pytest.raises(
        TraceError, match=r"cannot be traced symbolically in .*<lambda>, line \d+ \(net = Net\(lambda m, x"
    ):
        trace(net, (3, 8, 8))


def test_a_rule_that_is_wrong_is_caught_by_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(operations.METHODS, "expand", elementwise)
    net = Net(lambda m, x: m.b(m.a(x).expand(-1, 8, -1, -1)), a=conv(3, 8), b=conv(8, 2))
    with pytest.raises(TraceError, match="with other widths than its own"):
        trace(net, (3, 8, 8))


def test_a_width_that_only_training_fixes_is_caught_by_the_probe() -> None:
    net = Net(lambda m, x: m.b(m.a(x) * m.scale if m.training else m.a(x)), a=conv(3, 8), b=conv(8, 2))
    with pytest.raises(TraceError, match="does not train with other widths than its own"):
        trace(net, (3, 8, 8))


def test_training_that_takes_more_than_shapes_is_left_to_the_rehearsal() -> None:
    """As in the usual code of stochastic depth."""
    net = Net(lambda m, x: m.b(x if m.training and torch.rand(1).item() < 0.5 else m.a(x)), a=conv(3, 3), b=conv(3, 2))
    assert trace(net, (3, 8, 8)).widths == {"a": 3}


def test_an_input_the_network_cannot_take_is_named_with_the_place() -> None:
    net = nn.Sequential(conv(3, 8), nn.MaxPool2d(4), nn.MaxPool2d(4))
    with pytest.raises(ArchitectureError, match=r"input of shape \(3, 8, 8\) at 2"):
        trace(net, (3, 8, 8))


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.b(m.a(x) * (m.a(x) > 0.1)),
        lambda m, x: m.b(m.a(x) + (m.a(x) > 0.5).int()),
        lambda m, x: m.b(m.a(x - MEAN) / SPREAD),
        lambda m, x: m.b(m.a((x - MEAN) / SPREAD)),
        lambda m, x: m.b(m.a(x - torch.as_tensor([0.1, 0.2, 0.3]).view(3, 1, 1))),
        lambda m, x: m.b(m.a(x) * m.one(x).mean((2, 3)).unsqueeze(axis=2).unsqueeze(dim=3)),
    ],
)
def test_numbers_of_other_kinds_and_constants_of_the_code_are_no_obstacle(forward: object) -> None:
    coupling = trace(net := Net(forward, a=conv(3, 8), b=conv(8, 2), one=conv(3, 1)).double(), (3, 8, 8))
    prune(net, coupling, ChannelMask({group.name: torch.arange(8) % 3 > 0 for group in coupling.groups}))


MEAN, SPREAD = torch.full((1, 3, 1, 1), 0.5, dtype=torch.float64), torch.full((1, 1, 8, 8), 2.0, dtype=torch.float64)


def test_code_that_asks_what_its_input_is_does_not_mislead_tracing() -> None:
    net = Net(lambda m, x: m.b(m.a(x) if isinstance(x, Tensor) else x), a=conv(3, 3), b=conv(3, 2))
    with pytest.raises(TraceError, match="runs 2 convolutions and linear layers, but 1 when it is traced"):
        trace(net, (3, 8, 8))


@pytest.mark.parametrize(
    "again",
    [
        lambda m, y: y.index_select(1, m.all).sum(1, keepdim=True),
        lambda m, y: y[:, m.all].mean(1, keepdim=True),
        lambda m, y: m.all.sum() * y,
    ],
)
def test_a_selection_whose_indices_are_used_otherwise_stays(again: Callable[[Net, Tensor], Tensor]) -> None:
    def forward(m: Net, x: Tensor) -> Tensor:
        y = m.a(x)  # type: ignore[operator]
        return m.b(y.index_select(1, m.all) * again(m, y))  # type: ignore[operator, no-any-return]

    assert not trace(Net(forward, a=conv(3, 8), b=conv(8, 2)), (3, 8, 8)).groups


class Refusing(nn.Conv2d):
    """Merges what it can merge only once, when it is switched."""

    def train(self, mode: bool = True) -> Refusing:
        if mode:
            raise RuntimeError("merged for good")
        return super().train(mode)


def test_a_network_that_cannot_be_switched_or_copied_is_refused_with_the_reason() -> None:
    with pytest.raises(ArchitectureError, match="cannot be put into training: merged for good"):
        trace(nn.Sequential(conv(3, 8), Refusing(8, 2, 1)), (3, 8, 8))
    locked = nn.Sequential(conv(3, 8), conv(8, 2))
    locked.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(ArchitectureError, match=r"holds what cannot be copied: cannot pickle '_thread\.lock'"):
        trace(locked, (3, 8, 8))


class Silent(nn.Conv2d):
    """Forgets to return itself."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)


def test_what_switching_returns_does_not_matter() -> None:
    assert trace(Silent(3, 8, 1), (3, 8, 8)).output == (8, 8, 8)


def test_layers_may_share_a_place_to_leave_things() -> None:
    class Put(nn.Module):
        def __init__(self, cache: dict[str, Tensor]) -> None:
            super().__init__()
            self.cache = cache

        def forward(self, x: Tensor) -> Tensor:
            self.cache["x"] = x
            return x

    class Take(Put):
        def forward(self, x: Tensor) -> Tensor:
            return x + self.cache.pop("x")

    cache: dict[str, Tensor] = {}
    net = nn.Sequential(conv(3, 8), Put(cache), conv(8, 8), Take(cache), conv(8, 2))
    (group,) = trace(net, (3, 8, 8)).groups
    assert group.layers == ("0", "2", "4")


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


def test_stages_are_resolutions() -> None:
    groups = case("vgg16").coupling.groups
    assert [group.stage for group in groups] == [0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
