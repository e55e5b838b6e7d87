"""Batch and instance norms: each channel by itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from espalier.models.config import ChannelMask
from espalier.models.copies import replace
from espalier.models.layers import LAYERS
from espalier.models.layers.draw import InitScheme
from espalier.models.self_check import randomise
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from tests.models.helpers import drawn, rebuilt, same
from tests.models.networks import conv

KINDS = [nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d]
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
@pytest.mark.parametrize(
    "settings",
    [{}, {"eps": 1e-3, "momentum": None, "affine": True}, {"affine": False, "track_running_stats": False}],
    ids=str,
)
def test_a_norm_is_written_as_what_it_is(kind: type[nn.Module], settings: dict[str, Any]) -> None:
    layer = kind(4, **settings)
    assert rebuilt(layer).extra_repr() == layer.extra_repr()
    assert rebuilt(layer).state_dict().keys() == layer.state_dict().keys()


@kinds
def test_a_norms_source_is_one_that_older_releases_of_torch_know(kind: type[nn.Module]) -> None:
    assert "bias" not in LAYERS[kind].source(kind(4, affine=True))


@kinds
def test_a_norm_begins_anew_whatever_the_seed(kind: type[nn.Module]) -> None:
    layer = kind(4, affine=True, track_running_stats=True)
    randomise(layer, torch.Generator().manual_seed(0))
    layer.running_mean.fill_(3)
    layer.num_batches_tracked.fill_(5)
    state = drawn(layer, 1)
    assert state["weight"].tolist() == [1] * 4
    assert state["bias"].tolist() == [0] * 4
    assert state["running_mean"].tolist() == [0] * 4
    assert state["running_var"].tolist() == [1] * 4
    assert int(state["num_batches_tracked"]) == 0
    assert same(state, drawn(layer, 2))


def test_a_batch_norms_scale_is_the_schemes() -> None:
    assert drawn(nn.BatchNorm2d(2), 0, InitScheme(gamma=0.5))["weight"].tolist() == [0.5, 0.5]
    assert not drawn(nn.BatchNorm2d(2, affine=False), 0, InitScheme(gamma=0.5))["running_mean"].any()


@kinds
@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_of_another_size_runs_and_prints_as_that(kind: Any, affine: bool) -> None:
    layer, whole = (kind(width, affine=affine, track_running_stats=True).double() for width in (3, 8))
    replace(whole, layer.state_dict())
    assert whole.extra_repr() == layer.extra_repr()
    x = torch.rand((5, 3) if kind is nn.BatchNorm1d else (5, 3, 4, 4), dtype=torch.float64)
    assert torch.equal(whole.eval()(x), layer.eval()(x))


def test_randomising_leaves_no_tensor_as_it_began() -> None:
    layer, begun = nn.BatchNorm2d(4), nn.BatchNorm2d(4).state_dict()
    randomise(layer, torch.Generator().manual_seed(0))
    moved = {name for name, tensor in layer.state_dict().items() if not torch.equal(tensor, begun[name])}
    assert moved == {"weight", "bias", "running_mean", "running_var"}
    assert (layer.running_var > 0).all()


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm2d(8), nn.InstanceNorm2d(8, affine=True), nn.BatchNorm2d(8, affine=False)]
)
def test_a_norm_is_cut_with_the_channels_it_norms(norm: nn.Module) -> None:
    net = nn.Sequential(conv(3, 8), norm, conv(8, 2)).double()
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"0": 8}
    cut = prune(net, coupling, ChannelMask({"0": torch.arange(8) % 3 > 0}))
    assert cut[1].num_features == 5
