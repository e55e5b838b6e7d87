"""Regularizers: nothing unless it is written, and a state that outlives the process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from espalier.models.weight_mask import WeightMask
from espalier.search import tasks
from espalier.search.datasets import Data
from espalier.search.datasets.base import Images
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Masked, Regularizer, Together
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


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_masked_weights_are_exactly_zero_after_every_step(optimizer: str) -> None:
    """With momentum and decay, which would move them."""
    torch.manual_seed(0)
    net = nn.Linear(6, 4)
    mask = WeightMask({"weight": torch.rand(4, 6) < 0.5})
    mask.apply(net)
    kind: Any = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    steps = kind(net.parameters(), lr=0.1, weight_decay=0.1, **({"momentum": 0.9} if optimizer == "sgd" else {}))
    regularizer = Masked(mask, net)
    for _ in range(5):
        steps.zero_grad()
        net(torch.randn(3, 6)).square().sum().backward()
        steps.step()
        regularizer.after_step(net, 0.1)
        assert torch.equal(net.weight != 0, mask.kept["weight"])


def test_several_are_asked_in_turn_and_remember_side_by_side() -> None:
    class Noted(Regularizer):
        def __init__(self, name: str, notes: list[str]) -> None:
            self.name, self.notes, self.state = name, notes, torch.zeros(1)

        def before_step(self, net: nn.Module) -> None:  # noqa: ARG002
            self.notes.append(f"{self.name} before")

        def after_step(self, net: nn.Module, lr: float) -> None:  # noqa: ARG002
            self.notes.append(f"{self.name} after {lr:g}")

        def after_epoch(self, net: nn.Module) -> None:  # noqa: ARG002
            self.notes.append(f"{self.name} epoch")

        def finish(self, net: nn.Module) -> dict[str, Tensor]:  # noqa: ARG002
            return {self.name: self.state}

        def is_done(self) -> bool:
            return self.name == "b"

        def state_dict(self) -> dict[str, Tensor]:
            return {"state": self.state}

        def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
            self.state = state["state"]

    notes: list[str] = []
    both = Together([Noted("a", notes), Noted("b", notes)])
    both.before_step(nn.Identity())
    both.after_step(nn.Identity(), 0.5)
    both.after_epoch(nn.Identity())
    assert notes == ["a before", "b before", "a after 0.5", "b after 0.5", "a epoch", "b epoch"]
    assert set(both.finish(nn.Identity())) == {"a", "b"}
    assert both.is_done()
    assert not Regularizer().is_done()
    both.load_state_dict({"0.state": torch.ones(1), "1.state": torch.full((1,), 2.0)})
    assert {name: float(value) for name, value in both.state_dict().items()} == {"0.state": 1, "1.state": 2}
