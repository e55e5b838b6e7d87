"""A network as one Python file that builds it without Espalier."""

from __future__ import annotations

import base64
import inspect
import re
import zlib
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import Tensor, fx, nn

from espalier.models.architectures import architecture
from espalier.models.config import ChannelConfig
from espalier.models.cost import cost
from espalier.models.network import Network, build
from espalier.models.tensors import named_tensors, precision_of, state_of
from espalier.search.errors import SpecError
from espalier.search.types import Preprocessing

CLOSE = 1e-3
"""Largest difference between a network and its export, as a share of the largest output."""

_FILE = '''"""{arch} with {params:,} parameters and {macs:,} multiply-adds, found by Espalier.

    from {module} import build
    net = build()                          # fresh weights, as Espalier trains it from scratch
    net = build("weights.safetensors")     # trained weights

Needs {needs}. Input: [batch, {channels}, {height}, {width}]; output: [batch, {classes}].
{wanted}"""

import base64
import json
import math
import zlib

import torch
from torch import device, inf, nan, nn
{imports}
CONFIG = json.loads({config!r})
{preparation}
LAYERS = {{
{layers}
}}

TENSORS = {{
{tensors}
}}
CONSTANTS = {constants!r}  # buffers that are in no file of weights
TIES = {ties!r}  # parameters that are others, which stand in their place


def values(text, shape, dtype):
    data = bytearray(zlib.decompress(base64.b64decode(text)))
    return torch.frombuffer(data, dtype=dtype).reshape(shape)


def place(net, path):
    """The module that holds what is called `path`, and its name there."""
    *parents, name = path.split(".")
    for parent in parents:
        if not hasattr(net, parent):
            net.add_module(parent, nn.Module())
        net = getattr(net, parent)
    return net, name


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        for path, layer in LAYERS.items():
            module, name = place(self, path)
            module.add_module(name, layer())
        for path, tensor in TENSORS.items():
            module, name = place(self, path)
            tensor = tensor()
            if isinstance(tensor, nn.Parameter):
                module.register_parameter(name, tensor)
            else:
                module.register_buffer(name, tensor, persistent=path not in CONSTANTS)
        for path, other in TIES.items():
            module, name = place(self, path)
            setattr(module, name, self.get_parameter(other))

{forward}


def glorot(weight):
    return math.sqrt(2 / ((weight.shape[0] + weight.shape[1]) * weight[0, 0].numel()))


def initialise(net):
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0, {convolution})
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, {linear})
        elif isinstance(layer, nn.MultiheadAttention):
            nn.init.normal_(layer.in_proj_weight, 0, glorot(layer.in_proj_weight))
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)) and layer.affine:
            nn.init.constant_(layer.weight, {gamma})
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and layer.bias is not None:
            nn.init.zeros_(layer.bias)


def load(path):
    """A safetensors file as a state dict: eight bytes of header length, a JSON header, then the tensors."""
    types = {{"F64": torch.float64, "F32": torch.float32, "I64": torch.int64, "I32": torch.int32, "BOOL": torch.bool}}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    return {{
        name: torch.frombuffer(data[slice(*entry["data_offsets"])], dtype=types[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }}


def build(weights: str | None = None) -> nn.Module:
    net = Network()
    initialise(net)
    if weights is not None:
        fill(net, load(weights))
    return net


def fill(net, state):
    net.load_state_dict(state | {{path: state[other] for path, other in TIES.items()}})
'''


_WANTED = """
It was trained on {dataset}: pixels in [0, 1], less the mean of each channel, divided by its deviation, which is what
`prepare(pixels)` gives. CLASSES says what each output stands for.
"""

_PREPARATION = '''CLASSES = {classes}
MEAN, STD = {mean}, {std}


def prepare(pixels):
    """Pixels in [0, 1], [batch, channels, height, width], as the network was trained to see them."""
    mean, std = (torch.tensor(values, device=pixels.device).view(-1, 1, 1) for values in (MEAN, STD))
    return (pixels - mean) / std

'''


def python_file(config: ChannelConfig, seen: Preprocessing | None = None) -> str:
    """The file's text, tried out: the network and, where it is known, what its images went through.

    Raises SpecError if this network cannot be written down.
    """
    net = Network.of(config).module.eval()
    forward, layers, tensors = _traced(net)
    imports = list(_imports(forward))
    params, macs = cost(config)
    channels, height, width = config.shape
    weights = architecture(config.arch).init
    lines = forward.src[forward.src.index("def forward") :].strip("\n").splitlines()  # before it: words to the tracer
    text = _FILE.format(
        arch=config.arch,
        module=f"espalier_{config.id[:8]}",
        needs="torch and torchvision" if any("torchvision" in line for line in imports) else "torch alone",
        params=params,
        macs=macs,
        channels=channels,
        height=height,
        width=width,
        classes=config.classes,
        imports="\n".join([*imports, ""]),
        wanted="" if seen is None else _WANTED.format(dataset=_plain(seen.dataset)),
        config=config.model_dump_json(),
        preparation=""
        if seen is None
        else _PREPARATION.format(classes=list(seen.classes), mean=list(seen.mean), std=list(seen.std)),
        layers="\n".join(f'    "{path}": lambda: nn.{_constructor(layer)},' for path, layer in layers.items()),
        tensors="\n".join(f'    "{path}": lambda: {_values(tensor)},' for path, tensor in tensors.items()),
        constants=sorted(set(tensors) - set(net.state_dict())),
        ties=_ties(net, layers),
        forward="\n".join("    " + line if line else "" for line in lines),
        convolution="glorot(layer.weight)"
        if weights.convolution == "glorot"
        else "math.sqrt(2 / (layer.weight.shape[0] * layer.weight[0, 0].numel()))",
        linear="glorot(layer.weight)" if weights.linear == "glorot" else weights.linear,
        gamma=weights.gamma,
    )
    _try_out(text, config)
    return text


def _plain(name: str) -> str:
    """A name as words of a docstring, which nothing in it ends or escapes from."""
    return ascii(name)[1:-1].replace("\\", "/").replace('"', "'")


def _traced(net: nn.Module) -> tuple[Any, dict[str, nn.Module], dict[str, Tensor]]:
    """The forward pass as code, the layers it calls, and the tensors it uses besides."""
    try:
        graph = fx.Tracer().trace(net)
    except Exception as error:  # whatever a layer of somebody's own may raise
        raise SpecError(f"this network cannot be written as one Python file: {error}") from error
    for node in [*graph.nodes]:
        node.type = None  # annotations would need names of their own
        _follow_mode(graph, node)
    # Constants of the code are left with the network by the tracer.
    named = named_tensors(net) | {name: value for name, value in vars(net).items() if isinstance(value, Tensor)}
    layers = {str(node.target): net.get_submodule(str(node.target)) for node in graph.nodes if node.op == "call_module"}
    for node in graph.nodes:  # of a layer that is not called, but for its tensors
        owner = str(node.target).rpartition(".")[0]
        if node.op == "get_attr" and node.target in named and named[node.target].is_meta:
            layers[owner] = net.get_submodule(owner)
    of_layers = {f"{path}.{name}" for path, layer in layers.items() for name in named_tensors(layer)}
    own = {path: tensor for path, tensor in named.items() if path not in of_layers and not tensor.is_meta}
    try:
        code = graph.python_code(root_module="self")
    except NotImplementedError as error:
        raise SpecError(f"this network cannot be written as one Python file: {error}") from error
    return code, layers, own


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


def _imports(forward: Any) -> Iterator[str]:
    """Where the code's names come from. Only torch and torchvision may be needed."""
    for name, thing in forward.globals.items():
        if isinstance(thing, (FunctionType, BuiltinFunctionType)) and thing.__module__ != "builtins" and name != "wrap":
            package = (thing.__module__ or "").partition(".")[0]
            if package not in ("torch", "torchvision"):
                raise SpecError(f"one Python file cannot have {thing.__qualname__}, a function of {thing.__module__}")
            yield f"from {thing.__module__} import {thing.__qualname__} as {name}"


def _constructor(layer: nn.Module) -> str:
    """The layer as Python, from what it prints; `_try_out` sees whether that says all of it.

    Without an argument of batch norms that older releases of torch do not know. A layer of a kind made from torch's
    (torchvision's `LayerNorm2d`) is not called itself, and stands as torch's.
    """
    if isinstance(layer, nn.MultiheadAttention):
        first = layer.batch_first
        return f"MultiheadAttention({layer.embed_dim}, {layer.num_heads}, {layer.dropout}, batch_first={first})"
    kind = next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("torch.nn.modules"))
    words = re.sub(r"(padding(?:_mode)?)=([a-z]+)", r"\1='\2'", layer.extra_repr())
    if isinstance(layer, nn.AvgPool2d):  # it does not print all of its arguments
        rest = f"{layer.ceil_mode}, {layer.count_include_pad}, {layer.divisor_override}"
        words = f"{layer.kernel_size}, {layer.stride}, {layer.padding}, {rest}"
    elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
        words = words.replace("affine=True, bias=True", "affine=True")
    return f"{kind.__name__}({words})"


def _values(tensor: Tensor) -> str:
    """A parameter or buffer of the network's own as Python: drawn again if it was drawn, else as it is."""
    shape, value = tuple(tensor.shape), tensor.detach()
    constant = tensor.numel() > 0 and bool((value == value.flatten()[0]).all())
    if constant:
        text = f"torch.full({shape}, {value.flatten()[0].item()!r}, dtype={tensor.dtype})"
    elif tensor.requires_grad:
        text = f"torch.normal({float(value.mean()):.3g}, {float(value.std()):.3g}, {shape})"
    else:
        packed = base64.b64encode(zlib.compress(value.flatten().view(torch.uint8).numpy().tobytes(), 9)).decode()
        text = f'values("{packed}", {shape}, {tensor.dtype})'
    return f"nn.Parameter({text}, {tensor.requires_grad})" if isinstance(tensor, nn.Parameter) else text


def _try_out(text: str, config: ChannelConfig) -> None:
    """Build the network from the file, with the same weights, and compare what both compute, before the file leaves."""
    net, namespace = build(config).eval(), dict[str, Any]()
    x = torch.randn((2, *config.shape), generator=torch.Generator().manual_seed(0)).to(precision_of(net))
    try:
        exec(compile(text, "<export>", "exec", dont_inherit=True), namespace)  # our own code, written just above
        with torch.random.fork_rng(devices=[]):
            rebuilt = namespace["Network"]().eval()
        namespace["fill"](rebuilt, state_of(net))
        with torch.no_grad():
            expected = net(x)
            difference = float((rebuilt(x) - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
    except Exception as error:  # whatever a layer's constructor makes of what it prints
        words = " ".join(str(error).split())[:300]
        raise SpecError(
            f"this network cannot be written as one Python file: {type(error).__name__}: {words}"
        ) from error
    if not difference <= CLOSE:
        raise SpecError(f"as a Python file this network would differ by {difference:.2g} of its largest output")
