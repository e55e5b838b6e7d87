"""What is known of every kind of layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.convnext import LayerNorm2d

from espalier.models.layers import LAYERS, layer_of
from espalier.models.layers.base import Layer, printed, random_normal, random_uniform
from tests.models.networks import Flipping


def test_a_layer_is_printed_as_torchs_where_it_is_made_from_one() -> None:
    assert printed(LayerNorm2d(4)).startswith("LayerNorm((4,), eps=1e-05, elementwise_affine=True")
    assert printed(Flipping(2, 3, 1)).startswith("Conv2d(2, 3, kernel_size=(1, 1)")


def test_words_among_what_a_layer_prints_are_quoted() -> None:
    text = printed(nn.Conv2d(2, 3, 3, padding="same", padding_mode="reflect"))
    assert "padding='same'" in text
    assert "padding_mode='reflect'" in text


def test_what_a_layer_has_not_is_not_filled() -> None:
    generator = torch.Generator().manual_seed(0)
    random_normal(None, 1.0, generator)
    random_uniform(None, generator)
    assert torch.equal(torch.rand(3, generator=generator), torch.rand(3, generator=torch.Generator().manual_seed(0)))


def test_random_values_are_by_generator_and_positive_where_they_must_be() -> None:
    one, other = torch.empty(100), torch.empty(100)
    for tensor in (one, other):
        random_uniform(tensor, torch.Generator().manual_seed(3))
    assert torch.equal(one, other)
    assert 0.5 <= float(one.min()) <= float(one.max()) <= 1.5


def test_the_nearest_kind_of_a_subclass_is_what_it_is_made_from() -> None:
    assert layer_of(Flipping(2, 3, 1)) is LAYERS[nn.Conv2d]
    assert layer_of(nn.Sequential()) is None


@pytest.mark.parametrize("layer", LAYERS.values(), ids=[kind.__name__ for kind in LAYERS])
def test_what_is_drawn_has_a_rule_that_draws(layer: Layer) -> None:
    assert (layer.draw is not None) == bool(layer.drawn)
    assert LAYERS[layer.kind] is layer
