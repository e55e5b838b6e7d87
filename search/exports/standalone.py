"""What an exported Python file carries besides its network. Its source is copied into the file, function by function;
it needs torch alone, and nothing here may use anything else of ours."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def values(text: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor from its packed bytes."""
    return unpacked(zlib.decompress(base64.b64decode(text)), shape, dtype)


def unpacked(data: bytes, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A tensor from its bytes; there may be none."""
    return torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape) if data else torch.empty(shape, dtype=dtype)


def place(net: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module that holds what is called `path`, and its name there."""
    *parents, name = path.split(".")
    for parent in parents:
        if not hasattr(net, parent):
            net.add_module(parent, nn.Module())
        net = getattr(net, parent)
    return net, name


class Assembled(nn.Module):
    """A module from its layers and its own tensors, each by its path."""

    def __init__(
        self,
        layers: Mapping[str, Callable[[], nn.Module]],
        tensors: Mapping[str, Callable[[], Tensor]],
        constants: list[str],
        ties: Mapping[str, str],
    ) -> None:
        super().__init__()
        for path, layer in layers.items():
            module, name = place(self, path)
            module.add_module(name, layer())
        for path, make in tensors.items():
            module, name = place(self, path)
            tensor = make()
            if isinstance(tensor, nn.Parameter):
                module.register_parameter(name, tensor)
            else:
                module.register_buffer(name, tensor, persistent=path not in constants)
        for path, other in ties.items():
            module, name = place(self, path)
            setattr(module, name, self.get_parameter(other))


@torch.no_grad()
def initialise(net: nn.Module, layers: list[str], draws: Mapping[type, Any], scheme: Any, seed: int) -> None:
    """Fresh weights, the same by seed as those Espalier trains from."""
    generator = torch.Generator().manual_seed(seed)
    for path in layers:
        for module in net.get_submodule(path).modules():
            for kind, draw in draws.items():
                if isinstance(module, kind):
                    draw(module, generator, scheme)
                    break


def load(path: str) -> dict[str, Tensor]:
    """A safetensors file as a state dict: eight bytes of header length, a JSON header, then the tensors."""
    types = {
        "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "BOOL": torch.bool,
        "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
    }  # fmt: skip
    with open(path, "rb") as file:  # noqa: PTH123
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    return {
        name: unpacked(data[slice(*entry["data_offsets"])], entry["shape"], types[entry["dtype"]])
        for name, entry in header.items()
    }


def fill(net: nn.Module, state: dict[str, Tensor], ties: Mapping[str, str]) -> None:
    """Put trained weights in their places."""
    net.load_state_dict(state | {path: state[other] for path, other in ties.items()})
