"""Checkpoints: all that a training changes, there whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from espalier.search.regularizer import Regularizer
from espalier.search.results import CurvePoint, EarlyStop
from espalier.search.training.checkpoint import Progress, Trainee, restore, save

CURVE = [CurvePoint(step=3, epoch=0, metrics={"loss": 0.1 + 0.2}), CurvePoint(step=None, epoch=1, metrics={})]


class Counter(Regularizer):
    """Remembers a number."""

    def __init__(self, count: float) -> None:
        self.count = torch.tensor(count)

    def state_dict(self) -> dict[str, Tensor]:
        return {"a.count": self.count}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.count = state["a.count"]


def trainee(seed: int, steps: int = 0, last: bool = False, adam: bool = False) -> Trainee:
    torch.manual_seed(seed)
    net: nn.Module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    net = net.to(memory_format=torch.channels_last) if last else net  # type: ignore[call-overload]
    optimizer: torch.optim.Optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    if adam:
        optimizer = torch.optim.Adam(net.parameters(), lr=0.1, fused=True)
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.randn(4, 3, 8, 8)).square().sum().backward()
        optimizer.step()
    return Trainee(net, optimizer, Counter(float(seed)))


def test_everything_is_restored(tmp_path: Path) -> None:
    one, other, path = trainee(1, steps=3), trainee(2), tmp_path / "state.safetensors"
    save(path, one, Progress(CURVE, 12.5))
    assert restore(path, other) == Progress(CURVE, 12.5)
    theirs = other.net.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in one.net.state_dict().items())
    for ours, their in zip(one.net.parameters(), other.net.parameters(), strict=True):
        assert torch.equal(
            one.optimizer.state[ours]["momentum_buffer"], other.optimizer.state[their]["momentum_buffer"]
        )
    assert isinstance(other.regularizer, Counter)
    assert other.regularizer.count == 1


def test_every_moment_of_adam_is_restored(tmp_path: Path) -> None:
    one, other, path = trainee(1, steps=3, last=True, adam=True), trainee(2, last=True, adam=True), tmp_path / "state"
    save(path, one, Progress(CURVE, 1.0, 2, EarlyStop(step=3, holdout={"a": 0.1}, test={"a": 0.3})))
    assert restore(path, other) == Progress(CURVE, 1.0, 2, EarlyStop(step=3, holdout={"a": 0.1}, test={"a": 0.3}))
    for ours, their in zip(one.net.parameters(), other.net.parameters(), strict=True):
        state, again = one.optimizer.state[ours], other.optimizer.state[their]
        assert state.keys() == again.keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(state[name], again[name]) for name in state)
        assert again["exp_avg"].stride() == their.stride()


def test_momenta_have_the_layout_of_their_weights(tmp_path: Path) -> None:
    one, other, path = trainee(1, steps=1, last=True), trainee(2, last=True), tmp_path / "state"
    save(path, one, Progress([], 0.0))
    restore(path, other)
    weight = other.net.get_parameter("0.weight")
    assert other.optimizer.state[weight]["momentum_buffer"].stride() == weight.stride()


def test_before_the_first_step_there_is_no_momentum(tmp_path: Path) -> None:
    one, other, path = trainee(1), trainee(2), tmp_path / "state"
    save(path, one, Progress([], 0.0))
    restore(path, other)
    assert not other.optimizer.state


@pytest.mark.parametrize("path", [None, "missing"])
def test_without_a_file_a_training_begins(path: str | None, tmp_path: Path) -> None:
    one, before = trainee(1), trainee(1).net.state_dict()
    assert restore(None if path is None else tmp_path / path, one) == Progress([], 0.0)
    assert all(torch.equal(value, before[name]) for name, value in one.net.state_dict().items())


@pytest.mark.parametrize("left", [0, 5, 100, -1])
def test_a_file_cut_short_is_none(left: int, tmp_path: Path) -> None:
    path, other, before = tmp_path / "state", trainee(2), trainee(2).net.state_dict()
    save(path, trainee(1, steps=1), Progress(CURVE, 1.0))
    path.write_bytes(path.read_bytes()[:left])
    assert restore(path, other) == Progress([], 0.0)
    assert all(torch.equal(value, before[name]) for name, value in other.net.state_dict().items())


def test_a_file_of_another_version_is_none(tmp_path: Path) -> None:
    path, other = tmp_path / "state", trainee(2)
    save(path, trainee(1, steps=1), Progress(CURVE, 1.0))
    with safe_open(path, "pt") as file:
        about = file.metadata()
    for version in ({"version": "1"}, {}):
        kept = {name: text for name, text in about.items() if name != "version"}
        save_file(load_file(path), path, metadata=kept | version)
        assert restore(path, other) == Progress([], 0.0)
        assert isinstance(other.regularizer, Counter)
        assert other.regularizer.count == 2


def test_a_later_save_replaces_an_earlier_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save(path, trainee(1, steps=1), Progress(CURVE[:1], 1.0))
    save(path, trainee(3, steps=1), Progress(CURVE, 2.0))
    assert restore(path, trainee(2)) == Progress(CURVE, 2.0)
    assert [*tmp_path.iterdir()] == [path]
