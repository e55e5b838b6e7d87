"""torchvision's classifiers as architectures."""

from __future__ import annotations

import pytest

from espalier.models import from_torchvision
from espalier.models.architectures import names
from espalier.models.errors import ArchitectureError
from espalier.models.network import dense


def test_every_classifier_has_its_own_size_and_says_whose_it_is() -> None:
    assert {f"torchvision/{name}" for name in from_torchvision.names()} <= set(names())
    entry = from_torchvision.entry("efficientnet_b4")
    assert (entry.name, entry.description) == ("torchvision/efficientnet_b4", "torchvision's efficientnet_b4")
    assert (entry.classes, entry.shape, entry.mean) == (1000, (3, 380, 380), ())
    assert from_torchvision.entry("vit_b_16").init.linear == 0.02


def test_they_take_images_of_three_channels() -> None:
    with pytest.raises(ArchitectureError, match="torchvision/resnet18 takes images of 3 channels, got 1"):
        dense("torchvision/resnet18", 10, (1, 32, 32))
