"""What an exported file carries: it puts networks together, draws and fills them, with torch alone."""

from __future__ import annotations

import ast
import base64
import inspect
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from espalier.models.layers.draw import InitScheme
from espalier.search.exports import standalone
from espalier.search.exports.standalone import Assembled, fill, initialise, load, place, values


class Net(Assembled):
    """Two layers, a table and a constant; the second layer's weight is the first's."""

    def __init__(self) -> None:
        layers = {"a.b": lambda: nn.Linear(2, 2), "c": lambda: nn.Linear(2, 2, bias=False)}
        tensors = {
            "a.table": lambda: torch.arange(3),
            "one": lambda: torch.ones(()),
            "scale": lambda: nn.Parameter(torch.ones(2)),
        }
        super().__init__(layers, tensors, ["one"], {"c.weight": "a.b.weight"})


def test_a_network_is_put_together_by_paths() -> None:
    net = Net()
    assert {name for name, _ in net.named_parameters()} == {"a.b.weight", "a.b.bias", "scale"}
    assert net.get_parameter("c.weight") is net.get_parameter("a.b.weight")
    assert {name for name, _ in net.named_buffers()} == {"a.table", "one"}
    assert "one" not in net.state_dict()
    assert "a.table" in net.state_dict()


def test_a_place_is_made_where_there_is_none() -> None:
    net = nn.Module()
    module, name = place(net, "x.y.weight")
    assert name == "weight"
    assert module is net.get_submodule("x.y") is place(net, "x.y.bias")[0]
    assert place(net, "weight") == (net, "weight")


def draw(layer: nn.Linear, generator: torch.Generator, scheme: Any) -> None:
    layer.weight.normal_(0, scheme, generator=generator)


def test_fresh_weights_follow_from_the_seed_and_not_from_the_world() -> None:
    nets = [Net() for _ in range(3)]
    for net, seed in zip(nets, (1, 1, 2), strict=True):
        torch.rand(3)
        initialise(net, ["a.b"], {nn.Linear: draw}, 1.0, seed)
    weights = [net.get_parameter("a.b.weight") for net in nets]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.int64, torch.int32, torch.bool, torch.float16, torch.bfloat16]
)
def test_a_file_of_weights_is_read_without_its_library(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {"a": torch.tensor([[0, 1, 2], [3, 4, 5]]).to(dtype), "b": torch.tensor(1).to(dtype)}
    save_file(state, tmp_path / "w", metadata={"config": "{}"})
    found = load(str(tmp_path / "w"))
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) and found[name].dtype == dtype for name, value in state.items())


def test_shared_weights_are_in_the_file_once_and_filled_in_both_places(tmp_path: Path) -> None:
    net, other = Net(), Net()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_()
    save_file({name: value for name, value in net.state_dict().items() if name != "c.weight"}, tmp_path / "w")
    fill(other, load(str(tmp_path / "w")), {"c.weight": "a.b.weight"})
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in net.state_dict().items())


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises((RuntimeError, KeyError)):
        fill(Net(), {"nothing": torch.zeros(1)}, {"c.weight": "a.b.weight"})


def test_values_are_unpacked() -> None:
    tensor = torch.arange(6, dtype=torch.float32).view(2, 3)
    text = base64.b64encode(zlib.compress(tensor.numpy().tobytes())).decode()
    found: Tensor = values(text, (2, 3), torch.float32)
    assert torch.equal(found, tensor)
    found += 1  # it is not read-only


def test_nothing_but_torch_and_the_standard_library_is_imported() -> None:
    for module in (standalone, sys.modules[InitScheme.__module__]):
        tree = ast.parse(inspect.getsource(module))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name.partition(".")[0] for name in names} <= {"torch", *sys.stdlib_module_names}
