"""Networks that people bring: what they do that the zoo does not, kept exactly or refused with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from espalier.models.architectures import ARCHITECTURES, Architecture
from espalier.models.config import ChannelConfig, ChannelMask
from espalier.models.document import NoOptions
from espalier.models.errors import ArchitectureError, TraceError
from espalier.models.network import Network, build, dense, forget_traced, thinned
from espalier.models.self_check import self_check
from espalier.models.surgery import prune
from espalier.models.tensors import state_of
from espalier.search.exports import export
from tests.models.networks import Forward, Gain, Own, WithSkip, conv


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], Any]], ChannelConfig]]:
    """Names a factory, and gives the config of its dense network."""

    def enter(make: Callable[[], Any]) -> ChannelConfig:
        entry = Architecture("own", "", lambda *_: make(), options=NoOptions, classes=2, shape=(3, 8, 8))
        monkeypatch.setitem(ARCHITECTURES, "own", entry)
        forget_traced()
        return dense("own")

    yield enter
    forget_traced()


def own(forward: Forward, **layers: Callable[[], Any]) -> Callable[[], nn.Module]:
    return lambda: Own(forward, **{name: make() for name, make in layers.items()})


def logits(m: Any, x: Tensor) -> Tensor:
    return m.head(x.mean((2, 3)))  # type: ignore[no-any-return]


Register = Callable[[Callable[[], Any]], ChannelConfig]
HEAD = {"a": lambda: conv(3, 8), "head": lambda: nn.Linear(8, 2)}


def test_layers_that_share_a_weight_share_it_when_built(register: Register) -> None:
    def make() -> nn.Module:
        net = Own(
            lambda m, x: logits(m, m.c(m.b(m.a(x)))),
            a=conv(3, 8),
            b=conv(8, 8),
            c=conv(8, 8),
            head=nn.Linear(8, 2),
        )
        net.c.weight = net.b.weight
        return net

    config = register(make)
    net = build(config)
    assert net.c.weight is net.b.weight  # type: ignore[union-attr]
    self_check(config, masks=3, double=True)


def test_layers_that_share_a_weight_share_it_in_the_python_file(register: Register, tmp_path: Path) -> None:
    def make() -> nn.Module:
        net = Own(
            lambda m, x: logits(m, m.c(m.b(m.a(x)))), **{name: conv(3 if name == "a" else 8, 8) for name in "abc"}
        )
        net.head, net.c.weight = nn.Linear(8, 2), net.b.weight  # type: ignore[assignment]
        return net

    config = register(make)
    net = build(config, 1).eval()
    save_file(state_of(net), tmp_path / "w")
    namespace: dict[str, Any] = {}
    exec(export("python", config, None).content, namespace)
    rebuilt = namespace["build"](str(tmp_path / "w")).eval()
    assert rebuilt.c.weight is rebuilt.b.weight
    x = torch.randn(2, 3, 8, 8)
    assert torch.allclose(rebuilt(x), net(x), atol=1e-6)
    assert namespace["build"]().c.weight.std() > 0


@pytest.mark.parametrize("format", ["onnx", "torch_export"])
def test_networks_of_double_precision_are_exported(register: Register, format: str) -> None:
    assert export(
        format, register(lambda: own(logits, a=lambda: conv(3, 3), head=lambda: nn.Linear(3, 2))().double()), None
    ).content


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.a(x).mean((2, 3)),
        lambda m, x: m.a(x),
    ],
)
def test_an_output_that_is_not_one_number_for_each_class_is_refused(register: Register, forward: Forward) -> None:
    with pytest.raises(ArchitectureError, match="own must give 2 numbers for an image, one for each class"):
        register(own(forward, **HEAD))


def test_what_a_subclass_adds_has_its_constructors_values(register: Register) -> None:
    config = register(own(lambda m, x: logits(m, m.gain(m.a(x))), gain=Gain, **HEAD))
    assert build(config).gain.gain.flatten().tolist() == [3.0] * 8  # type: ignore[union-attr]


def test_a_fixed_kernel_is_refused_rather_than_drawn(register: Register) -> None:
    blur = own(lambda m, x: logits(m, m.b(m.a(x))), b=lambda: conv(8, 8).requires_grad_(False), **HEAD)
    with pytest.raises(ArchitectureError, match="'weight' of Conv2d 'b' is fixed, but would be drawn anew"):
        register(blur)


def test_a_selection_may_begin_in_any_order(register: Register) -> None:
    shuffled = own(
        lambda m, x: logits(m, torch.index_select(m.a(x), 1, m.order)), order=lambda: torch.arange(8).flip(0), **HEAD
    )
    whole = register(shuffled)
    (group,) = Network.of(whole).groups
    mask = ChannelMask({group.name: torch.tensor([1, 1, 0, 1, 0, 0, 0, 1]).bool()})
    cut = prune(build(whole), Network.of(whole).coupling, mask)
    assert (
        cut.get_buffer("order").tolist()
        == build(thinned(Network.of(whole), mask)).get_buffer("order").tolist()
        == [7, 6, 4, 0]
    )


def test_a_selection_read_by_a_grouped_convolution_keeps_its_picks(register: Register) -> None:
    grouped = own(
        lambda m, x: logits(m, m.b(torch.index_select(m.a(x), 1, m.order))),
        order=lambda: torch.arange(8), b=lambda: conv(8, 8, groups=2), **HEAD,
    )  # fmt: skip
    whole = register(grouped)
    mask = ChannelMask(
        {g.name: torch.arange(g.width) < (1 if g.selection else g.width) for g in Network.of(whole).groups}
    )
    cut = prune(build(whole), Network.of(whole).coupling, mask)
    assert (
        cut.get_buffer("order").tolist()
        == build(thinned(Network.of(whole), mask)).get_buffer("order").tolist()
        == [0, 4]
    )


def test_multiply_adds_are_for_one_image_wherever_the_batch_lies(register: Register) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        tokens = m.a(x).flatten(2).permute(2, 0, 1)  # [64, batch, 8]
        return m.head(m.down(F.gelu(m.up(tokens))).mean(0))  # type: ignore[no-any-return]

    layers = {"up": lambda: nn.Linear(8, 32), "down": lambda: nn.Linear(32, 8)}
    config = register(own(forward, **layers, **HEAD))
    coupling = Network.of(config).coupling
    assert (coupling.macs_per_weight["up.weight"], coupling.macs_per_weight["down.weight"]) == (64, 64)
    assert coupling.cost(config.widths).macs == 64 * (8 * 27 + 2 * 8 * 32) + 16


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda m, x: logits(m, m.a(x)) * m.a.weight.mean(), "mean reduces over channels in <lambda>"),
        (lambda m, x: logits(m, m.b(m.a(x))), "Conv2d b works along the channels"),
    ],
)
def test_what_is_done_besides_freezes(register: Register, forward: Forward, reason: str) -> None:
    def hooked() -> nn.Module:
        layer = conv(8, 8)
        layer.register_forward_pre_hook(lambda _layer, inputs: (inputs[0].flip(1),))
        return layer

    config = register(own(forward, b=hooked, **HEAD))
    coupling = Network.of(config).coupling
    assert "a" not in coupling.widths
    assert any(reason in kept.reason for kept in coupling.kept), coupling.kept


def test_a_single_number_of_the_networks_own_freezes_nothing(register: Register) -> None:
    config = register(own(lambda m, x: logits(m, m.a(x) * m.s), s=lambda: nn.Parameter(torch.ones(1)), **HEAD))
    assert config.widths == {"a": 8}
    self_check(config)


def test_a_group_that_begins_with_a_parameter_has_its_name(register: Register) -> None:
    parameter = {"s": lambda: nn.Parameter(torch.ones(8, 1, 1))}
    assert register(own(lambda m, x: logits(m, m.s.exp() * m.a(x)), **parameter, **HEAD)).widths == {"s": 8}
    assert register(own(lambda m, x: logits(m, m.s * m.a(x)), **parameter, **HEAD)).widths == {"a": 8}


def test_constants_of_the_code_are_followed(register: Register) -> None:
    config = register(own(lambda m, x: logits(m, m.a(x - torch.full((3, 1, 1), 0.5))), **HEAD))
    assert config.widths == {"a": 8}


def test_a_network_in_a_wrapper_is_the_network(register: Register) -> None:
    config = register(lambda: nn.DataParallel(own(lambda m, x: logits(m, m.a(x)), **HEAD)()))
    assert config.widths == {"a": 8}
    assert type(build(config)) is Own


def test_a_network_that_wants_more_than_images_is_refused(register: Register) -> None:
    with pytest.raises(TraceError, match=r"WithSkip.forward needs skip besides the images"):
        register(WithSkip)
    with pytest.raises(ArchitectureError, match="the factory gives NoneType, not a network"):
        register(lambda: None)


class Reader(nn.Module):
    """A convolution, then an LSTM over the columns: layers that no rule draws, and a table that is no weight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.rnn, self.fc = conv(3, 8), nn.LSTM(8 * 8, 6, batch_first=True), nn.Linear(6, 2)
        self.start = nn.Parameter(torch.randn(1, 8, 1, 1))
        self.register_buffer("table", torch.randn(8))

    def forward(self, x: Tensor) -> Tensor:
        x = (torch.relu(self.conv(x)) + self.start) * self.table.view(1, -1, 1, 1)
        logits: Tensor = self.fc(self.rnn(x.permute(0, 3, 1, 2).flatten(2))[0][:, -1])
        return logits


def test_every_tensor_that_is_drawn_depends_on_the_seed_whatever_its_layer(register: Register) -> None:
    config = register(Reader)
    zero, one, again, two = (dict(build(config, seed).named_parameters()) for seed in (0, 1, 1, 2))
    for name in zero:
        assert torch.equal(one[name], again[name])
        constant = name in ("conv.bias", "fc.bias")
        assert torch.equal(one[name], two[name]) == torch.equal(zero[name], one[name]) == constant, name
    assert torch.equal(build(config, 0).table, build(config, 1).table), "what is not learned is the same for all"  # type: ignore[arg-type]


def test_so_do_those_of_a_cut_network(register: Register) -> None:
    config = register(own(lambda m, x: logits(m, m.s * m.a(x)), s=lambda: nn.Parameter(torch.randn(8, 1, 1)), **HEAD))
    small = config.model_copy(update={"widths": {"a": 3}})
    whole, one, two = build(config, 1), build(small, 1), build(small, 2)
    assert torch.equal(one.s, whole.s[:3])  # type: ignore[arg-type, index]
    assert not torch.equal(one.s, two.s)  # type: ignore[arg-type]


class Masked(nn.Module):
    """Makes a table where its first layer is, as timm's Swin does."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = conv(3, 8), nn.Linear(8, 2)
        self.register_buffer("mask", torch.full((8, 8), 0.5, device=self.a.weight.device), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return logits(self, self.a(x) * self.mask)


class Measured(Masked):
    """Runs its first layer to see what comes out of it, as timm's hybrids do."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.full(self.a(torch.zeros(1, 3, 8, 8)).shape[2:], 0.5), persistent=False)


@pytest.mark.parametrize("net", [Masked, Measured])
def test_a_constructor_may_ask_its_layers(net: type[Masked], register: Register) -> None:
    config = register(net)
    assert config.widths == {"a": 8}
    built = build(config, 1)
    assert torch.equal(built.mask, torch.full((8, 8), 0.5))  # type: ignore[arg-type]
    assert all(tensor.is_meta for tensor in Network.of(config).module.parameters()), "what is drawn holds no memory"
    self_check(config, masks=3, double=True)
