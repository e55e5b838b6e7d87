"""From images to what a network takes: augmented in training, as they are otherwise."""

from __future__ import annotations

import numpy as np
import torch

from espalier.search.datasets import Data
from espalier.search.recipe import Crop, Recipe
from espalier.search.results import Execution
from espalier.search.training.batches import plain_batches, training_batches

RECIPE = Recipe(epochs=1, batch_size=100, lr=0.1, augment=(Crop(pad=2),))


def test_plain_batches_are_the_split_in_order(digits: Data) -> None:
    batches = [*plain_batches(digits, "test", 100, Execution())]
    assert [len(batch.targets) for batch in batches] == [100, 100, 100, 60]
    assert torch.cat([batch.targets for batch in batches]).tolist() == digits.test.y.tolist()
    pixels = torch.from_numpy(np.array(digits.test.x)).float() / 255
    expected = (pixels - digits.mean[0]) / digits.std[0]
    assert torch.allclose(torch.cat([batch.inputs for batch in batches]), expected, atol=1e-5)


def test_training_batches_are_full_and_follow_the_generator(digits: Data) -> None:
    def batches(seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [*training_batches(digits, RECIPE, np.random.default_rng(seed), Execution(), small=False)]

    one, same, other = batches(0), batches(0), batches(1)
    assert [tuple(x.shape) for x, _ in one] == [(100, 1, 32, 32)] * 12
    assert all(torch.equal(a, b) for pair in zip(one, same, strict=True) for a, b in zip(*pair, strict=True))
    assert not torch.equal(one[0][0], other[0][0])


def test_small_batches_are_of_small_images(digits: Data) -> None:
    batch = next(training_batches(digits, RECIPE, np.random.default_rng(0), Execution(), small=True))
    assert tuple(batch.inputs.shape) == (100, 1, 24, 24)


def test_batches_lie_in_the_networks_layout(digits: Data) -> None:
    last = Execution(channels_last=True)
    for batch in (
        next(plain_batches(digits, "test", 8, last)),
        next(training_batches(digits, RECIPE, np.random.default_rng(0), last, small=True)),
    ):
        assert batch.inputs.is_contiguous(memory_format=torch.channels_last)
