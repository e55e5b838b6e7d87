"""What images go through: shifted and mirrored originals, normalised, and smaller ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from espalier.search.datasets import Data
from espalier.search.recipe import Crop, Flip
from espalier.search.results import Execution
from espalier.search.training.augment import augment, normalise, shrink, takes_small


def test_augmented_images_are_shifted_and_mirrored_originals() -> None:
    """Every image comes out as one of the crops of its padded self, mirrored or not; and not always the same one."""
    images = torch.arange(1, 2 * 3 * 8 * 8 + 1, dtype=torch.int32).to(torch.uint8).view(2, 3, 8, 8)
    seen = set()
    for seed in range(40):
        out = augment(images, (Crop(pad=2), Flip()), np.random.default_rng(seed))
        assert out.dtype == torch.uint8
        padded = nn.functional.pad(images, (2, 2, 2, 2))
        for i in range(2):
            places = [
                (top, left, flipped)
                for top in range(5) for left in range(5) for flipped in (False, True)
                if torch.equal(out[i], (lambda c, f: c.flip(2) if f else c)(padded[i, :, top : top + 8, left : left + 8], flipped))
            ]  # fmt: skip
            assert places
            seen |= set(places)
    assert len(seen) > 20


def test_without_crop_and_flip_nothing_changes() -> None:
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(augment(images, (), np.random.default_rng(0)), images)


def test_normalised_images_have_mean_0_and_deviation_1(digits: Data) -> None:
    x = normalise(torch.from_numpy(np.array(digits.train.x)), digits, Execution(channels_last=True))
    assert float(x.mean()) == pytest.approx(0, abs=1e-4)
    assert float(x.std()) == pytest.approx(1, abs=1e-3)


def test_operations_come_in_the_recipes_order() -> None:
    images = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8)

    def through(*operations: Crop | Flip) -> torch.Tensor:
        return augment(images, operations, np.random.default_rng(0))

    assert torch.equal(through(Crop(pad=2), Flip()), through(Crop(pad=2), Flip()))
    assert not torch.equal(through(Crop(pad=2), Flip()), through(Flip(), Crop(pad=2)))


def test_about_half_of_the_images_are_mirrored() -> None:
    images = torch.zeros((1000, 1, 1, 2), dtype=torch.uint8)
    images[..., 1] = 1
    out = augment(images, (Flip(),), np.random.default_rng(0))
    assert 400 < int(out[:, 0, 0, 0].sum()) < 600
    assert bool((out.sum((1, 2, 3)) == 1).all())


def test_normalised_images_lie_in_the_networks_layout(digits: Data) -> None:
    x = torch.from_numpy(np.array(digits.test.x[:4])).expand(4, 3, 32, 32)
    grey = Data(digits.train, digits.holdout, digits.test, digits.classes, (0.1, 0.2, 0.3), (1.0, 2.0, 4.0), "g")
    out = normalise(x, grey, Execution(channels_last=True))
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(out[:, 2], (x[:, 2] / 255 - 0.3) / 4, atol=1e-6)
    assert normalise(x, grey, Execution()).is_contiguous()


def test_small_images_are_three_quarters_and_keep_what_they_show() -> None:
    x = torch.full((2, 3, 32, 28), 0.7).contiguous(memory_format=torch.channels_last)
    small = shrink(x)
    assert small.shape == (2, 3, 24, 21)
    assert torch.allclose(small, torch.full_like(small, 0.7))
    assert small.is_contiguous(memory_format=torch.channels_last)


def test_networks_that_end_in_a_flatten_take_one_size_only() -> None:
    fixed = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 30 * 30, 2))
    free = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    assert not takes_small(fixed, (1, 32, 32))
    assert takes_small(free, (1, 32, 32))
