"""A network's forward pass as code, and the layers and tensors it needs."""

from __future__ import annotations

import base64
import inspect
import zlib
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from espalier.models.layers import layer_of
from espalier.models.layers.base import printed
from espalier.models.tensors import named_tensors
from espalier.search.errors import SpecError


class Tracer(fx.Tracer):
    """Follows the images alone; other arguments of the network's forward stay at their defaults. What is computed from
    buffers is written down, and not what they are now."""

    proxy_buffer_attributes = True

    def create_args_for_root(
        self, root_fn: Callable[..., Any], *_options: Any, **_more: Any
    ) -> tuple[Callable[..., Any], list[Any]]:
        """The network itself and its images."""
        images = [*inspect.signature(root_fn).parameters][1]
        return root_fn, [self.root, self.create_proxy("placeholder", images, (), {})]


class Symbolic(NamedTuple):
    """What a Python file is written from."""

    forward: Any
    """The code that fx writes, with the names it uses."""
    training: Any
    """The same in training, where that is another; else None."""
    layers: dict[str, nn.Module]
    """Path -> layer, in the order of the network's modules, so that weights are drawn in that order."""
    tensors: dict[str, Tensor]
    """Path -> parameter or buffer that no layer holds."""
    ties: dict[str, str]
    """Path of a parameter -> path of the one that stands in its place."""


def symbolic(net: nn.Module) -> Symbolic:
    """Trace a network for writing, in both modes; it is left in evaluation. Raises SpecError if its code cannot be
    followed."""
    try:
        trained, graph = Tracer().trace(net.train()), Tracer().trace(net.eval())
    except Exception as error:  # whatever a layer of somebody's own may raise
        net.eval()
        asked = "its code asks for len(x) of what it computes, where x.shape[0] can be written"
        words = asked if "'len' is not supported" in str(error) else error
        raise SpecError(f"this network cannot be written as one Python file: {words}") from error
    alike = _follow_mode(graph, trained)
    for one in (graph, trained):
        for node in one.nodes:
            node.type = None  # annotations would need names of their own
    # Constants of the code are left with the network by the tracer.
    named = named_tensors(net) | {name: value for name, value in vars(net).items() if isinstance(value, Tensor)}
    layers = _layers(net, [graph, trained], named)
    of_layers = {f"{path}.{name}" for path, layer in layers.items() for name in named_tensors(layer)}
    own = {path: tensor for path, tensor in named.items() if path not in of_layers and not tensor.is_meta}
    try:
        codes = [one.python_code(root_module="self") for one in (graph, trained)]
    except NotImplementedError as error:
        raise SpecError(f"this network cannot be written as one Python file: {error}") from error
    return Symbolic(codes[0], None if alike else codes[1], layers, own, _ties(net, layers))


def _layers(net: nn.Module, graphs: list[fx.Graph], named: dict[str, Tensor]) -> dict[str, nn.Module]:
    """Layers that are called, and others whose tensors are drawn: used by the code, or not at all."""
    called = {str(node.target) for graph in graphs for node in graph.nodes if node.op == "call_module"}
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


def _follow_mode(graph: fx.Graph, trained: fx.Graph) -> bool:
    """Whether a network does the same in both modes, but for functions that are told the mode (dropout, stochastic
    depth): let these ask."""
    nodes, others = [*graph.nodes], [*trained.nodes]
    if [(str(node.target), node.op) for node in nodes] != [(str(node.target), node.op) for node in others]:
        return False
    told = []
    for node, other in zip(nodes, others, strict=True):
        if str((node.args, node.kwargs)) == str((other.args, other.kwargs)):
            continue
        at = _mode_of(node)
        if at is None or not _differ_in(node, other, at):
            return False
        told.append((node, at))
    for node, at in told:
        with graph.inserting_before(node):
            mode = graph.create_node("get_attr", "training")
        node.update_arg(at, mode) if isinstance(at, int) else node.update_kwarg(at, mode)
    return True


def _mode_of(node: fx.Node) -> int | str | None:
    """Where a function is told whether it trains: the place or the name of the argument."""
    if node.op != "call_function" or not isinstance(node.target, FunctionType):
        return None
    parameters = [*inspect.signature(node.target).parameters]
    if "training" not in parameters:
        return None
    at = parameters.index("training")
    return at if len(node.args) > at else "training"


def _differ_in(node: fx.Node, other: fx.Node, at: int | str) -> bool:
    """Whether nothing else differs than that the one evaluates and the other trains."""

    def told(one: fx.Node) -> tuple[dict[int | str, Any], Any]:
        rest: dict[int | str, Any] = dict(enumerate(one.args))
        rest.update(one.kwargs.items())
        return rest, rest.pop(at, None)

    (rest, mode), (others, theirs) = told(node), told(other)
    return (mode, theirs) == (False, True) and str(rest) == str(others)


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
