"""A forward pass as code: its layers in order, its tensors, and whose functions it may use."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.network import Network
from espalier.search.errors import SpecError
from espalier.search.exports import standalone
from espalier.search.exports.symbolic import Tracer, constructor, imports, symbolic, written
from tests.search.exports.helpers import pruned


def test_layers_stand_in_the_order_of_the_modules() -> None:
    net = Network.of(pruned("resnet20")).module.eval()
    found = symbolic(net)
    order = [path for path, _ in net.named_modules()]
    assert [*found.layers] == sorted(found.layers, key=order.index)
    assert found.ties == {}


class Features(nn.Module):
    """Gives its features where that is asked for, as many networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 2, 3)

    def forward(self, images: Tensor, features: bool = False) -> Tensor:
        x = torch.relu(self.body(images))
        return x if features else self.head(x)  # type: ignore[no-any-return]


def test_the_graph_takes_images_alone_and_computes_the_same() -> None:
    net = Features()
    graph = Tracer().trace(net)
    assert [node.target for node in graph.nodes if node.op == "placeholder"] == ["images"]
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(torch.fx.GraphModule(net, graph)(x), net(x))


class Branching(nn.Module):
    """Code that depends on values."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_code_that_depends_on_values_is_refused() -> None:
    with pytest.raises(SpecError, match="this network cannot be written as one Python file"):
        symbolic(Branching())


class Dropping(nn.Module):
    """Functions that act in training alone, and one that always does."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(F.dropout(x, 0.5, self.training), 0.5, training=self.training)


def test_functions_that_act_in_training_alone_ask_for_the_mode() -> None:
    code = symbolic(Dropping().eval()).forward.src
    assert code.count("self.training") == 2
    assert "training = False" not in code


class Centred(nn.Module):
    """Takes away a mean that it follows while it trains, as norms by hand do."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean.lerp_(x.detach().mean((0, 2, 3)), 0.1)
        return x - self.mean.view(1, -1, 1, 1)


def test_what_is_computed_from_a_buffer_is_written_and_not_what_it_is_now() -> None:
    found = symbolic(Centred())
    assert "self.mean" in found.forward.src
    assert [*found.tensors] == ["mean"]


def test_a_way_that_training_alone_takes_is_written_too() -> None:
    found = symbolic(Centred())
    assert "lerp_" not in found.forward.src
    assert "lerp_" in found.training.src
    assert symbolic(Dropping()).training is None


class Foreign(nn.Module):
    """Uses a function that is neither torch's nor torchvision's."""

    def forward(self, x: Tensor) -> Tensor:
        return doubled(x)


def doubled(x: Tensor) -> Tensor:
    return 2 * x


torch.fx.wrap("doubled")


def test_functions_of_others_are_refused() -> None:
    with pytest.raises(SpecError, match=r"one Python file cannot have doubled, a function of tests\."):
        list(imports(symbolic(Foreign()).forward))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False, groups=1), nn.Conv2d(4, 8, 1, padding="same", padding_mode="circular"),
        nn.BatchNorm2d(5, eps=1e-3, momentum=0.01), nn.Linear(3, 4, bias=False), nn.PReLU(3, init=0.1), nn.ReLU6(), nn.Dropout(0.3),
        nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True), nn.LayerNorm(6), nn.GELU(approximate="tanh"), nn.AdaptiveAvgPool2d((1, 1)),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_a_layer_is_made_again_from_what_is_written(layer: nn.Module) -> None:
    again = eval(f"nn.{constructor(layer)}", {"nn": nn})
    assert type(again) is type(layer)
    assert repr(again) == repr(layer)
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in layer.state_dict().items()}


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6).view(2, 3), torch.full((3,), 0.1), torch.zeros(0, 3), torch.tensor(True), torch.rand(4, 2).half(),
        torch.rand(3, 2).T, nn.Parameter(torch.rand(3), False), nn.Parameter(torch.ones(2)), torch.tensor(float("inf")),
        torch.tensor([True, False]), torch.rand(2).bfloat16(), torch.tensor([1 + 2j, 3]),
    ],
    ids=lambda tensor: f"{tensor.dtype}{tuple(tensor.shape)}",
)  # fmt: skip
def test_a_tensor_is_made_again_from_what_is_written(tensor: Tensor) -> None:
    names = {"torch": torch, "nn": nn, "values": standalone.values, "inf": float("inf")}
    again = eval(written(tensor), names)
    assert torch.equal(again, tensor)
    assert (type(again), again.dtype, again.shape) == (type(tensor), tensor.dtype, tensor.shape)
    assert again.requires_grad == tensor.requires_grad
