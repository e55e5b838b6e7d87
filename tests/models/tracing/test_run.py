"""Labels carried along while a network runs: tensors of its own, what is unknown, what its code asks and decides."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from espalier.models.config import ChannelMask, Slice
from espalier.models.errors import ArchitectureError, TraceError
from espalier.models.self_check import randomise
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from tests.models.helpers import SMALL, case
from tests.models.networks import Flipping, Forward, Net, Own, OwnNorm, conv
from tests.models.tracing.examples import PX, check, found, kept


def test_a_parameter_of_the_networks_own_is_cut_with_the_channels_it_scales() -> None:
    net = Net(lambda m, x: m.b(m.a(x) * m.scale), a=conv(3, 8), b=conv(8, 2))
    coupling = trace(net, (3, 8, 8))
    (group,) = coupling.groups
    assert Slice("scale", 0, "other") in group.slices
    cut = prune(net, coupling, ChannelMask({group.name: torch.arange(8) % 2 == 0}))
    assert torch.equal(cut.scale, net.scale[::2])


@pytest.mark.parametrize(
    "norm",
    [OwnNorm(8), nn.SyncBatchNorm(8), FrozenBatchNorm2d(8), nn.BatchNorm2d(8, affine=False), Flipping(8, 8, 1)],
    ids=lambda norm: type(norm).__name__,
)
def test_a_layer_is_understood_by_what_it_runs_and_not_by_its_class(norm: nn.Module) -> None:
    net = nn.Sequential(conv(3, 8), norm, conv(8, 8), conv(8, 2)).double().eval()
    randomise(net, torch.Generator().manual_seed(0))
    coupling = trace(net, PX)
    flipping = isinstance(norm, Flipping)
    assert [*coupling.widths] == (["1", "2"] if flipping else ["0", "2"])
    assert ("0", "Flipping 1 works along the channels") not in coupling.kept
    check(net, coupling)


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
    net = Net(lambda m, x: m.b(m.a(x) * m.mean.view(2, 4, 1, 1)), a=conv(3, 4), b=conv(4, 2), mean=torch.rand(8))
    with pytest.raises(ArchitectureError):
        trace(net, (3, 4, 4))
    net = Net(lambda m, x: m.b(m.a(x) * m.mean), a=conv(3, 8), b=conv(8, 2), mean=torch.rand(8, 1, 1))
    coupling = trace(net, (3, 4, 4))
    assert coupling.widths == {"a": 8}
    cut = prune(net, coupling, ChannelMask({"a": torch.arange(8) > 2}))
    assert torch.equal(cut.mean, net.mean[3:])


def test_a_parameter_of_several_dimensions_is_cut_where_it_meets_channels() -> None:
    coupling = found(lambda m, x: m.b(m.a(x) * m.p), p=nn.Parameter(torch.rand(8, 8, 8)))
    (group,) = coupling.groups
    assert [(part.tensor, part.dim) for part in group.slices if part.tensor == "p"] == [("p", 0)]


def test_a_buffer_of_several_dimensions_is_a_table_and_keeps_what_it_meets() -> None:
    assert kept(lambda m, x: m.b(m.a(x) * m.p), p=torch.rand(8, 8, 8)) == "p is a table"


def test_what_stands_behind_something_unknown_stays_for_the_first_reason() -> None:
    net = Net(
        lambda m, x: m.c(m.b(torch.cumsum(m.a(x), 1)) + torch.cumsum(m.a(x), 1)),
        a=conv(3, 8),
        b=conv(8, 8),
        c=conv(8, 2),
    )
    coupling = trace(net, (3, 4, 4))
    assert [reason.partition(" in ")[0] for _, reason in coupling.kept[:2]] == ["cumsum works along the channels"] * 2


def test_a_layer_with_a_hook_is_what_they_run_together() -> None:
    layer = conv(8, 8)
    layer.register_forward_hook(lambda _m, _i, output: output * 2)
    assert found(lambda m, x: m.b(m.layer(m.a(x))), layer=layer).widths == {"a": 8, "layer": 8}
    layer.register_forward_hook(lambda _m, _i, output: output.flip(1))
    coupling = found(lambda m, x: m.b(m.layer(m.a(x))), layer=layer)
    assert coupling.widths == {"a": 8}
    assert dict(coupling.kept)["layer"].startswith("Conv2d layer works along the channels")


def test_weights_with_a_spectral_norm_of_either_kind_are_cut_exactly() -> None:
    for normed in (torch.nn.utils.spectral_norm, torch.nn.utils.parametrizations.spectral_norm):
        coupling = found(lambda m, x: m.b(torch.relu(m.c(m.a(x)))), c=normed(conv(8, 8)))
        assert [group.width for group in coupling.groups] == [8, 8]


def test_a_weight_whose_mean_is_taken_away_keeps_what_it_reads_and_no_more() -> None:
    coupling = found(lambda m, x: m.b(m.d(m.c(m.a(x)))), c=Standardised(8, 8, 1), d=conv(8, 8))
    assert [group.name for group in coupling.groups] == ["c", "d"]
    assert "reduces over channels" in dict(coupling.kept)["a"]


class Standardised(nn.Conv2d):
    """A convolution whose weights have mean 0 and deviation 1 for each output (Qiao et al. 2019)."""

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.view(self.out_channels, -1)
        weight = (flat - flat.mean(1, keepdim=True)) / (flat.std(1, keepdim=True) + 1e-5)
        return F.conv2d(x, weight.view_as(self.weight), self.bias)


class Blur(nn.Module):
    """A fixed kernel on each channel (Zhang 2019), whose module says how many there are."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.register_buffer("kernel", torch.rand(1, 1, 3, 3).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel, stride=2, groups=self.channels)  # type: ignore[arg-type]


def test_numbers_that_a_module_keeps_of_its_own_tensors_follow_the_cut() -> None:
    net = nn.Sequential(conv(3, 8), Blur(8), conv(8, 2)).double()
    coupling = trace(net, PX)
    check(net, coupling)
    cut = prune(net, coupling, ChannelMask({"0": torch.arange(8) < 3}))
    assert (cut[1].channels, tuple(cut[1].kernel.shape)) == (3, (3, 1, 3, 3))  # type: ignore[union-attr, index]
    assert coupling.cost(coupling.widths).params == 3 * 8 * 9 + 8 + 8 * 2 * 9 + 2, (
        "a kernel that is fixed is not learned"
    )
    assert coupling.macs_per_weight["1.kernel"] == 9, "but multiplies"


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.b(m.a(x)) if x.shape[-1] % 8 == 0 else None,
        lambda m, x: m.b(F.pad(y := m.a(x), [(-s) % 3 for s in y.shape[:1:-1] for _ in (0, 1)])),
        lambda m, x: m.b(sum(m.a(x)[..., i] for i in range(x.size(2)))[..., None]),
        lambda m, x: m.b(m.a(x)[:, :, : min(x.shape[2:]) // 2]),
        lambda m, x: m.b(m.a(x)) if (y := m.a(x)).shape[1] > 0 and y.dim() == 4 and y.shape[0] == x.shape[0] else None,
        lambda m, x: m.b(F.interpolate(m.a(x), size=[2 * n for n in x.shape[2:]])),
    ],
)
def test_code_may_look_at_space(forward: Forward) -> None:
    assert found(forward).widths == {"a": 8}


@pytest.mark.parametrize(
    ("forward", "use"),
    [
        (lambda m, x: m.b(m.a(x)) if m.a(x).shape[1] > 4 else None, "is compared"),
        (lambda m, x: m.b((y := m.a(x)) * (y.size(1) ** 0.5)), "is computed with"),
        (lambda m, x: m.b((y := m.a(x)) * math.sqrt(y.size(1))), "is computed with"),
        (lambda m, x: m.b((y := m.a(x)) / len(y[0])), "is computed with"),
        (lambda m, x: m.b((y := m.a(x)) * y.numel()), "mul computes with the number of these channels"),
        (lambda m, x: m.b((y := m.a(x)) * {8: 1.0, 4: 2.0}[y.size(1)]), "is compared"),
    ],
)
def test_what_looks_at_the_number_of_channels_keeps_them_and_is_told_with_its_line(forward: Forward, use: str) -> None:
    why = kept(forward)
    assert use in why
    assert " in <lambda>, line " in why


def test_what_comes_from_nowhere_is_not_trusted() -> None:
    hidden: list[Tensor] = []

    def forward(m: Any, x: Tensor) -> Tensor:
        with torch._C.DisableTorchFunction():
            hidden.append(m.a(x))
        return m.b(hidden.pop())  # type: ignore[no-any-return]

    net = Net(forward, a=conv(3, 8), b=conv(8, 2))
    assert trace(net, PX).groups == ()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")
def test_what_goes_where_tracing_cannot_see_stays_and_says_so() -> None:
    for unseen in (torch.jit.script(gated), torch.vmap(gated)):
        reason = dict(trace(Own(lambda m, x, f=unseen: m.b(f(m.a(x))), a=conv(3, 8), b=conv(8, 2)), PX).kept)["a"]
        assert reason.startswith("this goes where tracing cannot see, as into a scripted function or vmap in ")


def gated(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def test_what_a_network_keeps_of_a_pass_is_no_obstacle() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        if getattr(m, "grid", None) is None or m.grid.shape[-1] != x.shape[-1]:
            m.grid = torch.linspace(-1, 1, x.shape[-1], dtype=x.dtype)
        m.seen = m.a(x)
        return m.b(m.seen * m.grid)  # type: ignore[no-any-return]

    net = Own(forward, a=conv(3, 8), b=conv(8, 2)).double()
    net(torch.rand(2, *PX, dtype=torch.float64))
    check(net, trace(net, PX))


def test_what_is_written_where_a_parameter_is_used_leaves_it_whole() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        m.v.mul_(1.5)
        return m.b(m.a(x) * m.v)  # type: ignore[no-any-return]

    net = Own(forward, a=conv(3, 8), b=conv(8, 2), v=nn.Parameter(torch.rand(8, 1, 1)))
    assert dict(trace(net, PX).kept)["a"].startswith("mul changes v")


class Partial(nn.Module):
    """A convolution of some channels, while others pass (Chen et al. 2023), by numbers that the module keeps."""

    def __init__(self, dim: int, part: int) -> None:
        super().__init__()
        self.dim, self.part = dim, part
        self.conv = conv(part, part)

    def forward(self, x: Tensor) -> Tensor:
        one, other = torch.split(x, [self.part, self.dim - self.part], 1)
        return torch.cat([self.conv(one), other], 1)


def test_numbers_of_a_part_of_the_channels_follow_the_cut() -> None:
    net = nn.Sequential(conv(3, 8), Partial(8, 3), conv(8, 2)).double()
    coupling = trace(net, PX)
    assert coupling.widths == {"0": 3, "0:1": 5, "1.conv": 3}
    check(net, coupling)
    mask = ChannelMask({"0": torch.arange(3) < 2, "0:1": torch.arange(5) < 4, "1.conv": torch.arange(3) < 3})
    block = prune(net, coupling, mask)[1]
    assert (block.dim, block.part) == (6, 2)
    assert (net[1].dim, net[1].part) == (8, 3)


class Branches(nn.Module):
    """Parts of the channels on ways of their own (Yu et al. 2024), as long as a tuple or list says."""

    def __init__(self, parts: tuple[int, ...] | list[int]) -> None:
        super().__init__()
        self.parts, self.strides = parts, (1, 1)
        self.conv = conv(parts[1], parts[1])

    def forward(self, x: Tensor) -> Tensor:
        one, other, last = torch.split(x, self.parts, dim=1)
        return torch.cat((one, self.conv(other), last[:, :, :: self.strides[0]]), 1)


@pytest.mark.parametrize("kind", [tuple, list])
def test_numbers_in_a_tuple_or_list_follow_the_cut(kind: type) -> None:
    net = nn.Sequential(conv(3, 9), Branches(kind((4, 4, 1))), conv(9, 2)).double()
    coupling = trace(net, PX)
    assert coupling.widths == {"0": 4, "0:1": 4, "1.conv": 4}, "one that is 1 stays"
    check(net, coupling)
    kept = {"0": torch.arange(4) < 2, "0:1": torch.arange(4) < 3, "1.conv": torch.arange(4) < 4}
    assert prune(net, coupling, ChannelMask(kept))[1].parts == kind((2, 3, 1))
    assert net[1].parts == kind((4, 4, 1))


def test_a_number_that_a_forward_looks_at_otherwise_is_fixed() -> None:
    class Looking(Partial):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) if self.part > 2 else x

    coupling = trace(nn.Sequential(conv(3, 8), Looking(8, 3), conv(8, 2)), PX)
    assert coupling.widths == {"1.conv": 3}
    assert "split takes a fixed number of the channels" in dict(coupling.kept)["0"]


class Shuffling(nn.Module):
    """A channel shuffle as it is usually written, with a number of groups that the module keeps."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        assert c % self.groups == 0
        return x.view(b, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(b, c, h, w)


def test_a_number_that_divides_channels_is_fixed_and_they_are_cut_in_equal_parts() -> None:
    assert found(lambda m, x: m.b(m.shuffle(m.a(x))), shuffle=Shuffling(2)).widths == {"a": 4}


class Looping(nn.Module):
    """Layers on parts of the channels, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.width, self.layers = 4, nn.ModuleList([conv(4, 4), conv(4, 4)])

    def forward(self, x: Tensor) -> Tensor:
        parts = [one(x[:, i * self.width : (i + 1) * self.width]) for i, one in enumerate(self.layers)]
        return torch.cat(parts, 1)


def test_parts_that_are_taken_in_a_loop_are_cut_alike() -> None:
    coupling = found(lambda m, x: m.b(m.loop(m.a(x))), loop=Looping())
    assert coupling.widths == {"a": 4, "loop.layers.0": 4, "loop.layers.1": 4}


def test_counts_in_a_cache_of_the_code_are_no_obstacle_to_the_next_trace() -> None:
    @functools.lru_cache(256)
    def half(number: int) -> int:
        return number // 2

    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.a(x)
        return m.b(y[:, : half(y.size(1))])  # type: ignore[no-any-return]

    for _ in range(2):
        found(forward, b=conv(4, 2))


def test_another_kind_of_number_is_no_matter_of_channels() -> None:
    coupling = found(lambda m, x: m.b(m.a(x).type_as(m.d(x)).to(x)) + m.d(x)[:, ::8], d=conv(3, 16))
    assert coupling.widths == {"a": 8}
