"""Early-bird: training ends in the epoch in which the mask has not changed for a while, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from espalier.models.network import Network, dense
from espalier.search import tasks
from espalier.search.datasets import Data
from espalier.search.datasets.base import Images
from espalier.search.early_bird import EarlyBird
from espalier.search.methods import create
from espalier.search.recipe import Recipe
from espalier.search.spec import MethodSpec
from espalier.search.training import loop
from espalier.search.training.loop import Trained, train

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
RECIPE = Recipe(epochs=8, batch_size=64, lr=0.05, augment=())
BIRD = MethodSpec(name="slimming", options={"early_bird": 0.1, "window": 2})


def ends(orders: list[list[int]], tolerance: float, window: int) -> int:
    """After how many epochs it is done, when channels rank so; 0: never."""
    place = iter(orders)
    bird = EarlyBird(lambda: {"a": torch.tensor(next(place), dtype=torch.double)}, tolerance, window)
    for number in range(1, len(orders) + 1):
        bird.after_epoch(nn.Identity())
        if bird.is_done():
            return number
    return 0


ONE, OTHER, SWAPPED = [4, 3, 2, 1], [1, 2, 3, 4], [4, 2, 3, 1]


@pytest.mark.parametrize(
    ("orders", "tolerance", "window", "expected"),
    [
        ([ONE, ONE, ONE], 0.1, 3, 3),
        ([OTHER, ONE, ONE, ONE], 0.1, 3, 4),
        ([ONE, OTHER] * 4, 0.1, 2, 0),
        ([ONE, OTHER, ONE], 0.1, 3, 0),
        ([ONE, SWAPPED], 0.4, 2, 0),
        ([ONE, SWAPPED], 0.5, 2, 2),
        ([[4, 3, 1, 2], ONE], 0.0, 2, 2),
    ],
)
def test_it_ends_once_the_last_masks_are_alike(orders: Any, tolerance: float, window: int, expected: int) -> None:
    assert ends(orders, tolerance, window) == expected


def few(data: Data) -> Data:
    return replace(data, train=Images(data.train.x[:256], data.train.y[:256]))


def trained(data: Data, spec: MethodSpec, **options: Any) -> tuple[Trained, nn.Module]:
    method, network = create(spec), Network.of(CONFIG).fresh()
    method.prepare(network)
    task = tasks.create("classification", RECIPE)
    regularizer = method.regularizer(network, RECIPE, 8 * 4)
    return train(network.module, task, few(data), RECIPE, 0, regularizer, **options), network.module


def test_a_parent_that_is_stopped_is_the_whole_ones_beginning_and_says_so(digits: Data) -> None:
    whole, _ = trained(digits, MethodSpec(name="slimming"))
    short, _ = trained(digits, BIRD)
    assert short.ran.epochs < 8
    assert short.ran.steps == 4 * short.ran.epochs
    assert short.curve == whole.curve[: short.ran.epochs]
    assert short.ran.notes == (f"stopped after {short.ran.epochs} of 8 epochs: {loop.EARLY}",)
    assert whole.ran.notes == ()


def test_one_that_was_killed_ends_in_the_same_epoch(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    undisturbed, net = trained(digits, BIRD)

    def kill(told: Any) -> None:
        if told.point.epoch == undisturbed.ran.epochs - 1:
            raise KeyboardInterrupt

    path = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        trained(digits, BIRD, checkpoint=path, report=kill)
    for _ in range(2):  # and once more when it had ended
        resumed, again = trained(digits, BIRD, checkpoint=path)
        assert (resumed.curve, resumed.ran) == (undisturbed.curve, undisturbed.ran)
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
