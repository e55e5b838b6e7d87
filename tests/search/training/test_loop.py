"""The training loop: arithmetic worked out by hand, repeatable by seed, exact when resumed, loud when it diverges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from espalier.models.network import build, dense
from espalier.search import tasks
from espalier.search.datasets import Data
from espalier.search.datasets.base import Images
from espalier.search.errors import Diverged
from espalier.search.recipe import Crop, Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.results import Execution, Reported
from espalier.search.training import loop
from espalier.search.training.loop import NO_SMALL, measure, train

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
LAST = Execution(channels_last=True)
BFLOAT16 = Execution(precision="bfloat16", channels_last=True)
TASK = tasks.create("classification", Recipe(epochs=1, batch_size=1, lr=0.1))


def weights(net: nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in net.state_dict().values()])


def few(data: Data, count: int = 320) -> Data:
    """The first images of each split: processors without bfloat16 take ten times as long over it."""
    return replace(data, **{
        split: Images(getattr(data, split).x[:count], getattr(data, split).y[:count])
        for split in ("train", "holdout", "test")
    })  # fmt: skip


def test_the_same_seed_gives_the_same_numbers(digits: Data, recipe: Recipe) -> None:
    nets = [build(CONFIG, 1) for _ in range(3)]
    curves = [
        train(net, TASK, few(digits), recipe, seed, execution=BFLOAT16).curve
        for net, seed in zip(nets, (5, 5, 6), strict=True)
    ]
    assert curves[0] == curves[1] != curves[2]
    assert torch.equal(weights(nets[0]), weights(nets[1]))


@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam", "lr": 1e-3, "evaluate_every": 7}])
def test_a_resumed_run_ends_exactly_where_an_undisturbed_one_does(
    changes: dict[str, Any], digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)  # after every epoch
    recipe = Recipe.model_validate({"epochs": 4, "batch_size": 64, "lr": 0.05, "augment": (Crop(pad=2),), **changes})
    whole, halved = build(CONFIG, 1), build(CONFIG, 1)
    undisturbed = train(whole, TASK, digits, recipe, 3, execution=LAST)

    class Killed(Exception):
        pass

    def kill(told: Reported) -> None:
        if told.point.epoch == 2:
            raise Killed

    path = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        train(halved, TASK, digits, recipe, 3, execution=LAST, checkpoint=path, report=kill)
    again = build(CONFIG, 99)  # other weights: all that counts is in the checkpoint
    seen: list[int] = []
    resumed = train(
        again,
        TASK,
        digits,
        recipe,
        3,
        execution=LAST,
        checkpoint=path,
        report=lambda told: seen.append(told.point.epoch),
    )
    assert seen == [3], "what was told is kept"
    assert (resumed.curve, resumed.early) == (undisturbed.curve, undisturbed.early)
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

    def note(_told: Reported) -> None:
        edges.append(set(net.edges))
        net.edges.clear()

    trained = train(net, TASK, digits, recipe, 0, report=note)
    assert edges == [{24}, {24}, {32}, {32}]
    assert (trained.ran.epochs, trained.ran.small_epochs, trained.ran.notes) == (4, 2, ())


def test_a_network_that_takes_one_size_is_trained_on_that(digits: Data) -> None:
    net = Seen(only=32)
    trained = train(net, TASK, digits, Recipe(epochs=2, batch_size=64, lr=0.01, small_first=0.9), 0)
    assert net.edges == {32}
    assert (trained.ran.small_epochs, trained.ran.notes) == (0, (NO_SMALL,))


def test_training_learns(digits: Data) -> None:
    net = build(CONFIG, 0)
    before = measure(net, TASK, digits, "test", Execution())["accuracy"]
    result = train(net, TASK, digits, Recipe(epochs=6, batch_size=32, lr=0.05, augment=(Crop(pad=2),)), 0)
    assert before < 0.3 < 0.8 < measure(net, TASK, digits, "test", Execution())["accuracy"]
    assert result.curve[-1].metrics["loss"] < result.curve[0].metrics["loss"]


def test_a_diverging_run_says_when(digits: Data) -> None:
    recipe = Recipe(epochs=3, batch_size=64, lr=100, schedule="constant")
    with pytest.raises(Diverged, match=r"diverged in epoch \d: the loss became nan; a smaller lr"):
        net = build(dense("vgg11", 10, (1, 32, 32), {"width": 0.1, "batch_norm": False}), 0)
        train(net, TASK, digits, recipe, 0)


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
        augment=(),
    )
    result = train(net, TASK, data, recipe, 0)
    assert float(net.w.detach()) == pytest.approx(0.05)
    assert result.curve[0].metrics["loss"] == pytest.approx(np.log(2))
    assert result.holdout["accuracy"] == 1.0


def test_the_regularizer_sees_every_step() -> None:
    white = Images(np.full((4, 1, 4, 4), 255, np.uint8), np.array([1, 1, 1, 1]))
    data = Data(white, white, white, ("a", "b"), (0.0,), (1.0,), "white")

    class Pinned(Regularizer):
        calls: list[str] = []  # noqa: RUF012

        def before_step(self, net: nn.Module) -> None:
            self.calls.append("before")
            assert net.w.grad is not None  # type: ignore[union-attr]

        def after_step(self, net: nn.Module, lr: float) -> None:
            self.calls.append(f"after {lr:g}")
            net.w.data.fill_(7.0)  # type: ignore[union-attr, operator]

    net = Line()
    train(net, TASK, data, Recipe(epochs=1, batch_size=2, lr=0.1, schedule="constant", augment=()), 0, Pinned())
    assert Pinned.calls == ["before", "after 0.1"] * 2
    assert float(net.w.detach()) == 7.0


def test_bfloat16_and_channels_last_compute_the_same_within_rounding(digits: Data, recipe: Recipe) -> None:
    data = few(digits)
    curves = [train(build(CONFIG, 1), TASK, data, recipe, 0, execution=e).curve for e in (Execution(), BFLOAT16)]
    assert curves[0][-1].metrics["loss"] == pytest.approx(curves[1][-1].metrics["loss"], rel=0.05)


def test_a_curve_counts_epochs_and_steps_and_what_is_told_is_what_stays(digits: Data, recipe: Recipe) -> None:
    told: list[Reported] = []
    trained = train(build(CONFIG, 1), TASK, digits, recipe, 0, report=told.append)
    steps = len(digits.train) // recipe.batch_size
    assert [(point.epoch, point.step) for point in trained.curve] == [(0, steps), (1, 2 * steps)]
    assert trained.ran.steps == 2 * steps
    assert told == [Reported(point, 2, "accuracy") for point in trained.curve]
    assert {"loss": trained.curve[-1].metrics["loss"]} | trained.holdout == trained.curve[-1].metrics


def test_a_finished_training_is_not_run_again(
    digits: Data, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    path = tmp_path / "state"
    first = train(build(CONFIG, 1), TASK, digits, recipe, 0, checkpoint=path)
    told: list[Reported] = []
    again = train(build(CONFIG, 2), TASK, digits, recipe, 0, checkpoint=path, report=told.append)
    assert told == []
    assert again.curve == first.curve


def test_a_data_set_smaller_than_a_batch_is_one_step_an_epoch() -> None:
    white = Images(np.full((3, 1, 4, 4), 255, np.uint8), np.array([0, 1, 1]))
    data = Data(white, white, white, ("a", "b"), (0.0,), (1.0,), "white")
    trained = train(Line(), TASK, data, Recipe(epochs=2, batch_size=64, lr=0.1, augment=()), 0)
    assert trained.ran.steps == 2


def test_measuring_is_in_evaluation_mode_and_leaves_the_weights(digits: Data) -> None:
    net = build(CONFIG, 0).train()
    before = weights(net)
    found = [measure(net, TASK, few(digits), "holdout", BFLOAT16) for _ in range(2)]
    assert found[0] == found[1]
    assert torch.equal(before, weights(net))


def test_the_curve_may_have_a_point_every_few_steps_and_always_the_last(digits: Data, recipe: Recipe) -> None:
    often = recipe.model_copy(update={"evaluate_every": 7})
    net, told = build(CONFIG, 1), list[Reported]()
    trained = train(net, TASK, few(digits), often, 0, report=told.append)  # 320 images: 5 or 10 steps an epoch
    steps, batches = trained.ran.steps or 0, (trained.ran.steps or 0) // 2
    points = sorted({*range(7, steps + 1, 7), steps})
    assert [point.step for point in trained.curve] == points
    assert [point.epoch for point in trained.curve] == [(step - 1) // batches for step in points]
    assert told[-1].point == trained.curve[-1]
    plain = build(CONFIG, 1)
    assert train(plain, TASK, few(digits), recipe, 0).holdout == trained.holdout, "looking changes nothing"
    assert torch.equal(weights(plain), weights(net))


def test_the_early_stop_is_the_first_of_the_least_losses_with_the_test_of_that_moment(digits: Data) -> None:
    recipe = Recipe(epochs=6, batch_size=32, lr=0.5, evaluate_every=4, schedule="constant", augment=())
    data = few(digits)
    found = train(build(CONFIG, 1), TASK, data, recipe, 0)
    losses = [point.metrics["cross_entropy"] for point in found.curve]
    best = found.curve[losses.index(min(losses))]
    assert found.early is not None
    assert (found.early.step, found.early.holdout["cross_entropy"]) == (best.step, min(losses))
    again = build(CONFIG, 1)
    train(again, TASK, data, recipe.model_copy(update={"last_step": best.step}), 0)
    assert found.early.test == measure(again, TASK, data, "test", Execution())
    assert train(build(CONFIG, 1), TASK, data, recipe.model_copy(update={"evaluate_every": 0}), 0).early is None


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_training_may_end_at_a_step_and_another_begin_there(digits: Data, optimizer: str) -> None:
    """Without momentum to carry over, both together are the whole: same batches, same rates."""
    recipe = Recipe.model_validate(
        {"epochs": 3, "batch_size": 32, "lr": 0.01, "momentum": 0, "nesterov": False, "optimizer": optimizer}
    )
    data, whole, parts = few(digits), build(CONFIG, 1), build(CONFIG, 1)
    undisturbed = train(whole, TASK, data, recipe, 3)
    steps = undisturbed.ran.steps or 0
    first = train(parts, TASK, data, recipe.model_copy(update={"last_step": steps - 7}), 3)
    assert (first.curve[-1].step, first.ran.steps) == (steps - 7, steps - 7)
    second = train(parts, TASK, data, recipe.model_copy(update={"first_step": steps - 7}), 3)
    assert (second.ran.steps, second.curve[-1].step) == (7, steps)
    if optimizer == "sgd":
        assert torch.equal(weights(whole), weights(parts))
        assert second.holdout == undisturbed.holdout
