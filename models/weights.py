"""Weights as safetensors files: loaded whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from espalier.models.errors import WeightsError
from espalier.models.tensors import fill, state_of

NAMED = 5
"""Tensors that an error names before it only counts them."""


def load_weights(net: nn.Module, path: Path) -> None:
    """Copy a file's tensors into the network. Raises WeightsError, naming tensors, before anything is changed."""
    fill(net, read_weights(net, path))


def read_weights(net: nn.Module, path: Path) -> dict[str, Tensor]:
    """A file's tensors, if they are the network's. Raises WeightsError otherwise, naming tensors."""
    with _reading(path):
        tensors = load_file(path)
    _check(net, tensors)
    return tensors


def notes_of(path: Path) -> dict[str, str]:
    """What `packed` wrote beside the tensors. Raises WeightsError."""
    with _reading(path), safe_open(path, "pt") as file:
        return file.metadata() or {}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path.name} cannot be read as safetensors: {error}") from error


def packed(tensors: Mapping[str, Tensor], notes: Mapping[str, str]) -> bytes:
    """A safetensors file of these tensors, with notes in its header. The same content is the same file: the library
    writes notes in any order, so the header is written here."""
    plain = save(dict(tensors))
    start = 8 + int.from_bytes(plain[:8], "little")
    header = json.dumps({"__metadata__": dict(notes), **json.loads(plain[8:start])}).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at a multiple of eight bytes
    return len(header).to_bytes(8, "little") + header + plain[start:]


def _check(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Raise WeightsError unless these are just the network's tensors, in name, shape and kind of number, with its own
    picks and other tables of indices."""
    problems = list(_problems(net, tensors))
    if problems:
        more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise WeightsError(f"these weights are not this network's: {'; '.join(problems[:NAMED])}{more}")


def _problems(net: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[str]:
    wanted = state_of(net)
    for name, tensor in wanted.items():
        if name not in tensors:
            yield f"{name} is missing"
        elif tensors[name].shape != tensor.shape:
            yield f"{name} has shape {_words(tensors[name])}, not {_words(tensor)}"
        elif _kind(tensors[name]) != _kind(tensor):
            yield f"{name} holds {tensors[name].dtype}, not {tensor.dtype}"
        elif _is_table(tensor) and not torch.equal(tensors[name].to(tensor), tensor):
            yield f"{name} names other channels or places than this network's does"
    yield from (f"{name} belongs to no layer" for name in tensors if name not in wanted)


def _kind(tensor: Tensor) -> tuple[bool, bool, bool]:
    return tensor.is_floating_point(), tensor.is_complex(), tensor.dtype == torch.bool


def _is_table(tensor: Tensor) -> bool:
    """Whether a tensor belongs to the architecture: indices, as picks are, but no count."""
    return not tensor.is_floating_point() and tensor.dim() > 0 and not tensor.is_meta


def _words(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "of one number"
