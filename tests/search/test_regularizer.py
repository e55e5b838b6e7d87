"""Regularizers: nothing unless it is written, and a state that outlives the process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from espalier.search import tasks
from espalier.search.datasets import Data
from espalier.search.datasets.base import Images
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.results import Reported
from espalier.search.training import loop
from espalier.search.training.loop import train

RECIPE = Recipe(epochs=4, batch_size=8, lr=0.05, augment=())
TASK = tasks.create("classification", RECIPE)


def noise() -> Data:
    generator = np.random.default_rng(0)

    def images(count: int) -> Images:
        return Images(generator.integers(0, 256, (count, 1, 4, 4), dtype=np.uint8), np.arange(count) % 2)

    return Data(images(40), images(8), images(8), ("a", "b"), (0.5,), (0.3,), "noise")


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 2))


def weights(net: nn.Module) -> Tensor:
    return torch.cat([value.flatten() for value in net.state_dict().values()])


class Drag(Regularizer):
    """Pulls by what it has seen so far: without its state, a resumed training would go elsewhere."""

    def __init__(self) -> None:
        self.seen = torch.zeros(2, 16)

    @torch.no_grad()
    def before_step(self, net: nn.Module) -> None:
        weight = net.get_parameter("1.weight")
        assert weight.grad is not None
        self.seen = 0.9 * self.seen + weight.grad
        weight.grad += 0.5 * self.seen

    def state_dict(self) -> dict[str, Tensor]:
        return {"seen": self.seen}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.seen = state["seen"]


class Forgetful(Drag):
    """The same, without a memory."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        del state


class Killed(Exception):
    """What a kill looks like from inside."""


def test_a_bare_regularizer_changes_nothing() -> None:
    with_it, without = network(0), network(0)
    train(with_it, TASK, noise(), RECIPE, 0, Regularizer())
    train(without, TASK, noise(), RECIPE, 0)
    assert torch.equal(weights(with_it), weights(without))
    assert Regularizer().state_dict() == {}


@pytest.mark.parametrize(("kind", "same"), [(Drag, True), (Forgetful, False)])
def test_a_resumed_training_remembers_what_its_regularizer_did(
    kind: type[Drag], same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)  # after every epoch

    def kill(told: Reported) -> None:
        if told.point.epoch == 2:
            raise Killed

    whole, again, path = network(0), network(9), tmp_path / "state.safetensors"
    undisturbed = train(whole, TASK, noise(), RECIPE, 3, kind())
    with pytest.raises(Killed):
        train(network(0), TASK, noise(), RECIPE, 3, kind(), report=kill, checkpoint=path)
    resumed = train(again, TASK, noise(), RECIPE, 3, kind(), checkpoint=path)
    assert torch.equal(weights(whole), weights(again)) is same
    assert (resumed.curve == undisturbed.curve) is same


def test_hooks_come_in_the_order_of_a_step_and_an_epoch() -> None:
    calls: list[str] = []

    class Noting(Regularizer):
        def before_step(self, net: nn.Module) -> None:
            assert net.get_parameter("1.weight").grad is not None
            calls.append("before")

        def after_step(self, net: nn.Module, lr: float) -> None:
            assert net.training
            assert lr > 0
            calls.append("after")

        def after_epoch(self, net: nn.Module) -> None:
            assert net.training
            calls.append("epoch")

    train(network(0), TASK, noise(), RECIPE.model_copy(update={"epochs": 2, "batch_size": 20}), 0, Noting())
    assert calls == ["before", "after", "before", "after", "epoch"] * 2
