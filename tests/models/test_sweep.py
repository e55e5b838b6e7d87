"""Every architecture there is: what `docs/coverage.md` says of it is true."""

from __future__ import annotations

import pytest

from benchmarks.coverage import sweep
from espalier.models.architectures import TORCHVISION, names

CONVOLUTIONAL = (
    "alexnet", "densenet", "efficientnet", "googlenet", "inception", "mnasnet", "mobilenet", "regnet", "resnet",
    "resnext", "shufflenet", "squeezenet", "vgg", "wide_resnet",
)  # fmt: skip
"""Families of torchvision whose convolutions can be pruned. ConvNeXt is not one: a layer norm reads every convolution
there, so that only its linear layers can, which hold nine tenths of its parameters."""


@pytest.mark.long
@pytest.mark.parametrize("name", names())
def test_an_architecture_is_cut_exactly_and_rebuilds(name: str) -> None:
    (found,) = sweep([name])
    assert not found.refusal
    assert found.groups > 0
    assert found.rebuilds == "python"
    plain = name.removeprefix(TORCHVISION)
    if name != plain:
        assert found.published == ("MACs" if plain == "inception_v3" else "both")  # it comes without auxiliary head
    if name != plain and plain.startswith(CONVOLUTIONAL):
        assert found.convolutions is not None
        assert found.convolutions >= 0.9
    if plain.startswith("convnext"):
        assert found.params >= 0.9
