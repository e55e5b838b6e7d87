"""Looking at shapes says what torch says, and refuses what torch refuses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.registry import skeleton
from models.shapes import OnlyShapes
from tests.models.helpers import SMALL


class Shapes(nn.Module):
    """Notes the shape of every layer's output."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.seen: list[tuple[int, ...]] = []
        for module in net.modules():
            module.register_forward_hook(lambda _m, _i, output: self.seen.append(tuple(output.shape)))

    def forward(self, x: Tensor) -> list[tuple[int, ...]]:
        self.seen = []
        self.net(x)
        return self.seen


@pytest.mark.parametrize("name", SMALL)
def test_every_layer_has_the_shape_that_torch_gives_it(name: str) -> None:
    net = Shapes(skeleton(SMALL[name]).eval())
    x = torch.empty((2, *SMALL[name].shape), device="meta")
    with torch.no_grad():
        expected = net(x)
        with OnlyShapes():
            assert net(x) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: nn.BatchNorm2d(4, device="meta")(x),
        lambda x: nn.BatchNorm2d(4, affine=False, device="meta").eval()(x),
        lambda x: x + torch.empty(2, 4, 5, 5, device="meta"),
        lambda x: nn.Conv2d(4, 2, 1, device="meta")(x),
        lambda x: F.adaptive_avg_pool2d(x, (1, 1, 1)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(wrong: object) -> None:
    with OnlyShapes(), pytest.raises((RuntimeError, ValueError)):
        wrong(torch.empty(2, 3, 5, 5, device="meta"))  # type: ignore[operator]


def test_arguments_may_be_named() -> None:
    x = torch.empty(2, 3, 5, 5, device="meta")
    with OnlyShapes():
        assert F.adaptive_avg_pool2d(x, output_size=(None, 1)).shape == (2, 3, 5, 1)
        assert F.dropout(input=x).shape == x.shape
        assert F.batch_norm(x, running_mean=None, running_var=None, training=True).shape == x.shape


def test_tensors_with_values_are_computed() -> None:
    with OnlyShapes():
        assert F.relu(torch.tensor([-1.0, 2.0])).tolist() == [0.0, 2.0]
