"""A network's forward pass as code, and the layers and tensors it needs."""

from __future__ import annotations

import base64
import inspect
import zlib
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from espalier.models.layers import layer_of
from espalier.models.layers.base import printed
from espalier.models.tensors import named_tensors
from espalier.models.tracing.tracer import Tracer
from espalier.search.errors import SpecError


class Symbolic(NamedTuple):
    """What a Python file is written from."""

    forward: Any
    """The code that fx writes, with the names it uses."""
    layers: dict[str, nn.Module]
    """Path -> layer, in the order of the network's modules, so that weights are drawn in that order."""
    tensors: dict[str, Tensor]
    """Path -> parameter or buffer that no layer holds."""
    ties: dict[str, str]
    """Path of a parameter -> path of the one that stands in its place."""


def symbolic(net: nn.Module) -> Symbolic:
    """Trace a network for writing. Raises SpecError if its code cannot be followed."""
    try:
        graph = Tracer().trace(net)
    except Exception as error:  # whatever a layer of somebody's own may raise
        raise SpecError(f"this network cannot be written as one Python file: {error}") from error
    for node in [*graph.nodes]:
        node.type = None  # annotations would need names of their own
        _follow_mode(graph, node)
    # Constants of the code are left with the network by the tracer.
    named = named_tensors(net) | {name: value for name, value in vars(net).items() if isinstance(value, Tensor)}
    layers = _layers(net, graph, named)
    of_layers = {f"{path}.{name}" for path, layer in layers.items() for name in named_tensors(layer)}
    own = {path: tensor for path, tensor in named.items() if path not in of_layers and not tensor.is_meta}
    try:
        code = graph.python_code(root_module="self")
    except NotImplementedError as error:
        raise SpecError(f"this network cannot be written as one Python file: {error}") from error
    return Symbolic(code, layers, own, _ties(net, layers))


def _layers(net: nn.Module, graph: fx.Graph, named: dict[str, Tensor]) -> dict[str, nn.Module]:
    """Layers that are called, and others whose tensors are drawn: used by the code, or not at all."""
    called = {str(node.target) for node in graph.nodes if node.op == "call_module"}
    drawn = {path.rpartition(".")[0] for path, tensor in named.items() if tensor.is_meta}
    inside = {path for path in drawn if any(path.startswith(f"{outer}.") for outer in called)}
    place = {id(module): index for index, module in enumerate(net.modules())}
    found = {path: net.get_submodule(path) for path in called | (drawn - inside)}
    return dict(sorted(found.items(), key=lambda item: place[id(item[1])]))


def _ties(net: nn.Module, layers: dict[str, nn.Module]) -> dict[str, str]:
    """Parameters of layers that are those of other layers: where they are, and the name that counts."""
    first = {id(tensor): name for name, tensor in named_tensors(net).items()}
    places = {f"{path}.{name}": id(own) for path, layer in layers.items() for name, own in layer.named_parameters()}
    return {place: first[tensor] for place, tensor in places.items() if first[tensor] != place}


def _follow_mode(graph: fx.Graph, node: fx.Node) -> None:
    """Functions that act in training alone (dropout, stochastic depth) were traced in evaluation; let them ask."""
    if node.op != "call_function" or not isinstance(node.target, FunctionType):
        return
    parameters = [*inspect.signature(node.target).parameters]
    if "training" not in parameters or "running_mean" in parameters:
        return
    at = parameters.index("training")
    positional = len(node.args) > at
    if (node.args[at] if positional else node.kwargs.get("training")) is not False:  # it acts in evaluation, too
        return
    with graph.inserting_before(node):
        mode = graph.create_node("get_attr", "training")
    if positional:
        node.update_arg(at, mode)
    else:
        node.update_kwarg("training", mode)


def imports(forward: Any) -> Iterator[str]:
    """Where the code's names come from. Only torch and torchvision may be needed."""
    for name, thing in forward.globals.items():
        if isinstance(thing, (FunctionType, BuiltinFunctionType)) and thing.__module__ != "builtins" and name != "wrap":
            package = (thing.__module__ or "").partition(".")[0]
            if package not in ("torch", "torchvision"):
                raise SpecError(f"one Python file cannot have {thing.__qualname__}, a function of {thing.__module__}")
            yield f"from {thing.__module__} import {thing.__qualname__} as {name}"


def constructor(layer: nn.Module) -> str:
    """The layer as Python."""
    known = layer_of(layer)
    return (known.source if known else printed)(layer)


def written(tensor: Tensor) -> str:
    """A parameter or buffer of the network's own as Python, with its values."""
    shape, value = tuple(tensor.shape), tensor.detach()
    if tensor.numel() > 0 and bool((value == value.flatten()[0]).all()):
        text = f"torch.full({shape}, {value.flatten()[0].item()!r}, dtype={tensor.dtype})"
    else:
        raw = value.contiguous().flatten().view(torch.uint8).numpy().tobytes()
        text = f'values("{base64.b64encode(zlib.compress(raw, 9)).decode()}", {shape}, {tensor.dtype})'
    return f"nn.Parameter({text}, {tensor.requires_grad})" if isinstance(tensor, nn.Parameter) else text
