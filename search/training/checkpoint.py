"""The state of a training, on disk: written whole or not at all, and read as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from espalier.models.tensors import fill, state_of
from espalier.search.regularizer import Regularizer
from espalier.search.results import CurvePoint

VERSION = "2"
"""Of what is in the file. A training whose checkpoint is of another one begins again."""


class Trainee(NamedTuple):
    """Everything that a training changes."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    regularizer: Regularizer


class Progress(NamedTuple):
    """How far a training is."""

    curve: list[CurvePoint]
    seconds: float


def save(path: Path, trainee: Trainee, progress: Progress) -> None:
    """Write the state so that either the old file or the new one is there, whatever happens."""
    state = {f"net.{name}": value.contiguous() for name, value in state_of(trainee.net).items()}
    for name, parameter in trainee.net.named_parameters():
        momentum = trainee.optimizer.state[parameter].get("momentum_buffer")
        if momentum is not None:
            state[f"momentum.{name}"] = momentum.contiguous()
    state |= {f"regularizer.{name}": value.contiguous() for name, value in trainee.regularizer.state_dict().items()}
    curve = json.dumps([point.model_dump() for point in progress.curve])
    temporary = path.with_suffix(".new")
    about = {"version": VERSION, "curve": curve, "seconds": str(progress.seconds)}
    safetensors.torch.save_file(state, temporary, metadata=about)
    temporary.replace(path)


def restore(path: Path | None, trainee: Trainee) -> Progress:
    """Load the state if there is one, and say how far it is."""
    if path is None or not path.exists():
        return Progress([], 0.0)
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except SafetensorError:  # a disk that filled up; there is nothing to go on from
        return Progress([], 0.0)
    if about.get("version") != VERSION:
        return Progress([], 0.0)
    fill(trainee.net, _part(state, "net."))
    momenta = _part(state, "momentum.")
    for name, parameter in trainee.net.named_parameters():
        if name in momenta:
            value = torch.empty_like(parameter).copy_(momenta[name])  # keeps the memory layout
            trainee.optimizer.state[parameter]["momentum_buffer"] = value
    trainee.regularizer.load_state_dict(_part(state, "regularizer."))
    curve: Sequence[object] = json.loads(about["curve"])
    return Progress([CurvePoint.model_validate(point) for point in curve], float(about["seconds"]))


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
