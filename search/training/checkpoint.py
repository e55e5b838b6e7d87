"""The state of a training, on disk: written whole or not at all, and read as if nothing had happened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from espalier.models.tensors import fill, state_of
from espalier.search.regularizer import Regularizer
from espalier.search.results import CurvePoint, EarlyStop

VERSION = "4"
"""Of what is in the file. A training whose checkpoint is of another one begins again."""


class Trainee(NamedTuple):
    """Everything that a training changes."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    regularizer: Regularizer


class Progress(NamedTuple):
    """How far a training is."""

    curve: list[CurvePoint]
    seconds: float = 0.0
    epochs: int = 0
    """Those that are over."""
    early: EarlyStop | None = None
    """The best of the curve so far, where that is asked for."""


_PROGRESS = TypeAdapter(Progress)


def save(path: Path, trainee: Trainee, progress: Progress) -> None:
    """Write the state so that either the old file or the new one is there, whatever happens."""
    state = {f"net.{name}": value.contiguous() for name, value in state_of(trainee.net).items()}
    for name, parameter in trainee.net.named_parameters():
        for kind, value in trainee.optimizer.state[parameter].items():
            if value is not None:
                state[f"optimizer.{kind}.{name}"] = value.contiguous()
    state |= {f"regularizer.{name}": value.contiguous() for name, value in trainee.regularizer.state_dict().items()}
    temporary = path.with_suffix(".new")
    about = {"version": VERSION, "progress": _PROGRESS.dump_json(progress).decode()}
    safetensors.torch.save_file(state, temporary, metadata=about)
    temporary.replace(path)


def restore(path: Path | None, trainee: Trainee) -> Progress:
    """Load the state if there is one, and say how far it is."""
    if path is None or not path.exists():
        return Progress([])
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except SafetensorError:  # a disk that filled up; there is nothing to go on from
        return Progress([])
    if about.get("version") != VERSION:
        return Progress([])
    fill(trainee.net, _part(state, "net."))
    parameters = dict(trainee.net.named_parameters())
    for path_of, value in _part(state, "optimizer.").items():
        kind, _, name = path_of.partition(".")
        parameter = parameters[name]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter).copy_(value)  # keeps the memory layout
        trainee.optimizer.state[parameter][kind] = value.to(parameter.device)
    trainee.regularizer.load_state_dict(_part(state, "regularizer."))
    return _PROGRESS.validate_json(about["progress"])


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
