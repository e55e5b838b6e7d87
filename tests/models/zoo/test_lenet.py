"""LeNet-300-100 and LeNet-5: their sizes are the papers', and they take other images, too."""

from __future__ import annotations

import pytest
import torch

from espalier.models.config import Slice
from espalier.models.errors import ArchitectureError
from espalier.models.network import dense
from espalier.models.tracing.trace import trace
from espalier.models.zoo.lenet import LeNet5, LeNet300


def test_they_have_as_many_parameters_as_in_the_papers() -> None:
    assert sum(p.numel() for p in LeNet300(10, (1, 28, 28)).parameters()) == 266_610
    assert sum(p.numel() for p in LeNet5(10, (1, 28, 28)).parameters()) == 431_080


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 16, 21)])
def test_they_take_other_images(shape: tuple[int, int, int]) -> None:
    x = torch.zeros(2, *shape, dtype=torch.float64)
    for net in (LeNet300(4, shape, 0.125), LeNet5(4, shape, 0.125)):
        assert net.double()(x).shape == (2, 4)


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(ArchitectureError, match=r"lenet5|LeNet5"):
        dense("lenet5", shape=(1, 15, 15))


def test_a_channel_of_lenet5_owns_the_columns_of_its_positions() -> None:
    coupling = trace(LeNet5(10, (1, 28, 28)), (1, 28, 28))
    assert coupling.widths == {"features.0": 20, "features.2": 50, "fc1": 500}
    assert Slice("fc1.weight", 1, "in", 0, 16) in coupling.groups[1].slices
