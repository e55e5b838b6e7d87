"""The training loop: arithmetic worked out by hand, repeatable by seed, exact when resumed, loud when it diverges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from espalier.models.network import build, dense
from espalier.search import train as training
from espalier.search.data import Data, Images
from espalier.search.errors import Diverged
from espalier.search.train import accuracy, augment, learning_rate, normalise, steps_per_epoch, train
from espalier.search.types import Epoch, Execution, Recipe

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
BFLOAT16 = Execution(precision="bfloat16", channels_last=True)


def weights(net: nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in net.state_dict().values()])


def test_the_same_seed_gives_the_same_numbers(digits: Data, recipe: Recipe) -> None:
    nets = [build(CONFIG, 1) for _ in range(3)]
    curves = [
        train(net, digits, recipe, seed, execution=BFLOAT16).curve for net, seed in zip(nets, (5, 5, 6), strict=True)
    ]
    assert curves[0] == curves[1] != curves[2]
    assert torch.equal(weights(nets[0]), weights(nets[1]))


def test_a_resumed_run_ends_exactly_where_an_undisturbed_one_does(
    digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SHARE", 1e9)  # after every epoch
    recipe = Recipe(epochs=4, batch_size=64, lr=0.05, flip=False, crop=2)
    whole, halved = build(CONFIG, 1), build(CONFIG, 1)
    undisturbed = train(whole, digits, recipe, 3, execution=BFLOAT16)

    class Killed(Exception):
        pass

    def kill(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise Killed

    path = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        train(halved, digits, recipe, 3, execution=BFLOAT16, checkpoint=path, report=kill)
    again = build(CONFIG, 99)  # other weights: all that counts is in the checkpoint
    seen: list[int] = []
    resumed = train(
        again, digits, recipe, 3, execution=BFLOAT16, checkpoint=path, report=lambda e: seen.append(e.epoch)
    )
    assert seen == [2, 3]
    assert resumed.curve == undisturbed.curve
    assert torch.equal(weights(whole), weights(again))


class Seen(nn.Module):
    """Remembers the edges of the images it is trained on; with `only`, takes that edge and no other."""

    def __init__(self, only: int | None = None) -> None:
        super().__init__()
        self.linear = nn.Linear(only * only if only else 1, 10)
        self.only, self.edges = only, set[int]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.edges.add(x.shape[-1])
        logits: torch.Tensor = self.linear(x.flatten(1) if self.only else x.mean((2, 3)))
        return logits


def test_the_first_epochs_may_be_on_small_images(digits: Data) -> None:
    recipe = Recipe(epochs=4, batch_size=64, lr=0.01, small_first=0.5)
    net, edges = Seen(), list[set[int]]()

    def note(_epoch: Epoch) -> None:
        edges.append(set(net.edges))
        net.edges.clear()

    train(net, digits, recipe, 0, report=note)
    assert edges == [{24}, {24}, {32}, {32}]


def test_a_network_that_takes_one_size_is_trained_on_that(digits: Data) -> None:
    net = Seen(only=32)
    train(net, digits, Recipe(epochs=2, batch_size=64, lr=0.01, small_first=0.9), 0)
    assert net.edges == {32}


def test_training_learns(digits: Data) -> None:
    net = build(CONFIG, 0)
    before = accuracy(net, digits, digits.test, Execution())
    result = train(net, digits, Recipe(epochs=6, batch_size=32, lr=0.05, flip=False, crop=2), 0)
    assert before < 0.3 < 0.8 < accuracy(net, digits, digits.test, Execution())
    assert result.curve[-1].loss < result.curve[0].loss


def test_a_diverging_run_says_when(digits: Data) -> None:
    recipe = Recipe(epochs=3, batch_size=64, lr=100, schedule="constant")
    with pytest.raises(Diverged, match=r"diverged in epoch \d: the loss became nan; a smaller lr"):
        net = build(CONFIG, 0)
        train(net, digits, recipe.model_copy(update={"lr": 1e30}), 0)


class Line(nn.Module):
    """Logits [0, w * mean pixel]: one weight, so that a step can be worked out by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixel = x.mean((1, 2, 3))
        return torch.stack([torch.zeros_like(pixel), self.w * pixel], 1)


def test_one_step_by_hand() -> None:
    """One white image of class 1: d loss / d w = -(1 - 1/2) * 1 = -1/2, so w goes from 0 to lr / 2 = 0.05."""
    white = Images(np.full((1, 1, 4, 4), 255, np.uint8), np.array([1]))
    data = Data(white, white, white, ("a", "b"), (0.0,), (1.0,), "white")
    net = Line()
    recipe = Recipe(
        epochs=1,
        batch_size=1,
        lr=0.1,
        momentum=0,
        nesterov=False,
        weight_decay=0,
        schedule="constant",
        flip=False,
        crop=0,
    )
    result = train(net, data, recipe, 0)
    assert float(net.w.detach()) == pytest.approx(0.05)
    assert result.curve[0].loss == pytest.approx(np.log(2))
    assert result.curve[0].holdout == 1.0


def test_the_regularizer_sees_every_step() -> None:
    white = Images(np.full((4, 1, 4, 4), 255, np.uint8), np.array([1, 1, 1, 1]))
    data = Data(white, white, white, ("a", "b"), (0.0,), (1.0,), "white")

    class Pinned:
        calls: list[str] = []  # noqa: RUF012

        def penalty(self, net: nn.Module) -> None:
            self.calls.append("penalty")
            assert net.w.grad is not None  # type: ignore[union-attr]

        def project(self, net: nn.Module, lr: float) -> None:
            self.calls.append(f"project {lr:g}")
            net.w.data.fill_(7.0)  # type: ignore[union-attr, operator]

    net = Line()
    train(net, data, Recipe(epochs=1, batch_size=2, lr=0.1, schedule="constant", crop=0, flip=False), 0, Pinned())
    assert Pinned.calls == ["penalty", "project 0.1"] * 2
    assert float(net.w.detach()) == 7.0


def test_schedules() -> None:
    step = Recipe(epochs=1, batch_size=1, lr=1.0, schedule="step")
    assert [learning_rate(step, s, 8) for s in (0, 3, 4, 5, 6, 7)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    cycle = Recipe(epochs=1, batch_size=1, lr=1.0, schedule="one_cycle", warmup=0.25)
    rates = [learning_rate(cycle, s, 100) for s in range(100)]
    assert max(rates) == pytest.approx(1, abs=0.05)
    assert 20 <= rates.index(max(rates)) <= 26
    assert 0 < rates[-1] < 0.05
    assert all(0 < rate <= 1 for rate in rates)
    constant = Recipe(epochs=1, batch_size=1, lr=0.3, schedule="constant")
    assert {learning_rate(constant, s, 9) for s in range(9)} == {0.3}


def test_steps_are_full_batches() -> None:
    recipe = Recipe(epochs=1, batch_size=10, lr=0.1)
    assert [steps_per_epoch(recipe, n) for n in (5, 10, 19, 20)] == [1, 1, 1, 2]


def test_augmented_images_are_shifted_and_mirrored_originals() -> None:
    """Every image comes out as one of the crops of its padded self, mirrored or not; and not always the same one."""
    images = torch.arange(1, 2 * 3 * 8 * 8 + 1, dtype=torch.int32).to(torch.uint8).view(2, 3, 8, 8)
    recipe = Recipe(epochs=1, batch_size=1, lr=0.1, crop=2)
    seen = set()
    for seed in range(40):
        out = augment(images, recipe, np.random.default_rng(seed))
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
    recipe = Recipe(epochs=1, batch_size=1, lr=0.1, crop=0, flip=False)
    assert torch.equal(augment(images, recipe, np.random.default_rng(0)), images)


def test_normalised_images_have_mean_0_and_deviation_1(digits: Data) -> None:
    x = normalise(torch.from_numpy(np.array(digits.train.x)), digits, Execution(channels_last=True))
    assert float(x.mean()) == pytest.approx(0, abs=1e-4)
    assert float(x.std()) == pytest.approx(1, abs=1e-3)


def test_bfloat16_and_channels_last_compute_the_same_within_rounding(digits: Data, recipe: Recipe) -> None:
    curves = [train(build(CONFIG, 1), digits, recipe, 0, execution=e).curve for e in (Execution(), BFLOAT16)]
    assert curves[0][-1].loss == pytest.approx(curves[1][-1].loss, rel=0.05)
