"""Taylor importance: what a numerical derivative says, and where it is read."""

from __future__ import annotations

import copy
from itertools import islice

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.search.methods.base import Parent
from espalier.search.methods.taylor import Taylor, TaylorOptions
from tests.search.methods.helpers import parent_of


def normed() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Conv2d(4, 3, 1), nn.Tanh(), nn.Flatten(), nn.Linear(12, 2)
    )
    nn.init.normal_(net[1].weight)
    nn.init.normal_(net[1].bias)
    return net.double().eval()


def change(parent: Parent, channel: int, batches: int, names: list[tuple[int, str]]) -> float:
    """Mean over batches of the squared derivative of the loss along a channel's values, numerically."""
    net, step, total = parent.network.module, 1e-6, 0.0
    for batch in islice(parent.batches(5), batches):
        moved = []
        for sign in (1, -1):
            other = copy.deepcopy(net)
            with torch.no_grad():
                for layer, name in names:
                    tensor: Tensor = getattr(other[layer], name)  # type: ignore[index]
                    tensor[channel] *= 1 + sign * step
                moved.append(float(F.cross_entropy(other(batch.inputs), batch.targets)))
        total += ((moved[0] - moved[1]) / (2 * step)) ** 2
    return total / batches


@pytest.mark.parametrize("batches", [1, 3])
def test_importance_is_the_squared_derivative_along_what_belongs_to_a_channel(batches: int) -> None:
    parent = parent_of(normed())
    scores = Taylor(TaylorOptions(batches=batches, batch_size=5)).score(parent)
    for channel in range(4):
        expected = change(parent, channel, batches, [(1, "weight"), (1, "bias")])
        assert float(scores["0"][channel]) == pytest.approx(expected, rel=1e-5)
    for channel in range(3):  # which passes no norm
        expected = change(parent, channel, batches, [(3, "weight")])
        assert float(scores["3"][channel]) == pytest.approx(expected, rel=1e-5)


def test_it_may_be_read_from_filters() -> None:
    parent = parent_of(normed())
    scores = Taylor(TaylorOptions(of="weight", batches=2, batch_size=5)).score(parent)
    expected = [change(parent, channel, 2, [(0, "weight")]) for channel in range(4)]
    assert scores["0"].tolist() == pytest.approx(expected, rel=1e-5)


def test_all_there_is_may_be_fewer_batches_than_wanted() -> None:
    parent = parent_of(normed())
    few, many = (Taylor(TaylorOptions(batches=batches, batch_size=5)).score(parent) for batches in (3, 100))
    assert torch.equal(few["0"], many["0"])


@pytest.mark.parametrize("training", [True, False])
def test_the_network_stays_in_its_mode(training: bool) -> None:
    parent = parent_of(normed())
    parent.network.module.train(training)
    Taylor(TaylorOptions(batches=1)).score(parent)
    assert parent.network.module.training is training
