"""Looking at shapes says what torch says, and refuses what torch refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.network import Network
from espalier.models.tracing.shapes import OnlyShapes
from tests.models.helpers import SMALL
from tests.models.networks import Shapes


@pytest.mark.parametrize("name", SMALL)
def test_every_layer_has_the_shape_that_torch_gives_it(name: str) -> None:
    net = Shapes(Network.of(SMALL[name]).on_meta().eval())
    x = torch.empty((2, *SMALL[name].shape), device="meta")
    with torch.no_grad():
        expected = net(x)
        with OnlyShapes():
            assert net(x) == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3},
        {"kernel_size": (5, 3), "stride": (2, 3), "padding": (4, 1)},
        {"kernel_size": 3, "stride": 2, "dilation": (2, 3), "padding": 1},
        {"kernel_size": 1, "groups": 3, "bias": False},
        {"kernel_size": (3, 1), "padding": "same"},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(2, 6, 11, 14), (6, 11, 14)], ids=["batch", "one"])
def test_a_convolution_has_the_shape_that_torch_gives_it(settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    layer = nn.Conv2d(6, 9, device="meta", **settings)
    x = torch.empty(shape, device="meta")
    expected = layer(x).shape
    with OnlyShapes():
        assert layer(x).shape == expected


@pytest.mark.parametrize("shape", [(4,), (2, 4), (2, 3, 5, 4)], ids=str)
def test_a_linear_layer_has_the_shape_that_torch_gives_it(shape: tuple[int, ...]) -> None:
    layer = nn.Linear(4, 7, device="meta")
    with OnlyShapes():
        assert layer(torch.empty(shape, device="meta")).shape == (*shape[:-1], 7)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: nn.BatchNorm2d(4, device="meta")(x),
        lambda x: nn.BatchNorm2d(4, affine=False, device="meta").eval()(x),
        lambda x: x + torch.empty(2, 4, 5, 5, device="meta"),
        lambda x: nn.Conv2d(4, 2, 1, device="meta")(x),
        lambda x: nn.Conv2d(3, 2, 7, device="meta")(x),
        lambda x: F.conv2d(x, torch.empty(2, 3, 1, 1, device="meta"), torch.empty(3, device="meta")),
        lambda x: F.conv2d(x, torch.empty(4, 1, 1, 1, device="meta"), groups=3),
        lambda x: nn.Linear(4, 2, device="meta")(x),
        lambda x: F.linear(x, torch.empty(2, 5, device="meta"), torch.empty(3, device="meta")),
        lambda x: F.adaptive_avg_pool2d(x, (1, 1, 1)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(wrong: Callable[[Tensor], Tensor]) -> None:
    with OnlyShapes(), pytest.raises((RuntimeError, ValueError)):
        wrong(torch.empty(2, 3, 5, 5, device="meta"))


def test_arguments_may_be_named() -> None:
    x = torch.empty(2, 3, 5, 5, device="meta")
    with OnlyShapes():
        assert F.adaptive_avg_pool2d(x, output_size=(None, 1)).shape == (2, 3, 5, 1)
        assert F.dropout(input=x).shape == x.shape
        assert F.batch_norm(x, running_mean=None, running_var=None, training=True).shape == x.shape


def test_tensors_with_values_are_computed() -> None:
    x = torch.tensor([-1.0, 2.0])
    with OnlyShapes():
        assert F.relu(x).tolist() == [0.0, 2.0]


def test_constants_that_are_small_have_values_which_code_may_read() -> None:
    with OnlyShapes():
        assert torch.linspace(0, 1, 3).tolist() == [0, 0.5, 1]
        assert (torch.empty(2, 3, device="meta") * torch.ones(3)).is_meta


def test_devices_are_no_matter() -> None:
    x = torch.empty(2, 3, device="meta")
    with OnlyShapes():
        assert x.cpu().shape == x.to("cpu").shape == (2, 3)
        assert x.to("cpu", torch.float64).dtype == x.to(torch.float64).dtype == torch.float64
        assert x.to(torch.ones(1, dtype=torch.float64)).dtype == torch.float64


def test_large_things_that_are_made_meanwhile_have_no_memory() -> None:
    with OnlyShapes():
        assert torch.ones(999, 999).is_meta
        assert not torch.ones(999, 999, device="cpu").is_meta
    assert not torch.ones(2, 3).is_meta
