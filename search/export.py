"""Channel configs as files that rebuild the network anywhere. A new format is one function, one line in `EXPORTS`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
import yaml
from torch import fx, nn

from models.config import ChannelConfig
from models.cost import LayerCost, cost, receipt
from models.registry import architecture, skeleton
from search.errors import SpecError, UnknownName
from search.version import VERSION


class File(NamedTuple):
    """What an export gives: bytes, and how to hand them out."""

    content: bytes
    media_type: str
    suffix: str


class Source(NamedTuple):
    """What an export is made from."""

    config: ChannelConfig
    weights: Path | None
    """A safetensors file of this architecture's trained weights, if any were kept."""


def document(config: ChannelConfig) -> dict[str, Any]:
    """The config with its cost receipt, as plain data."""
    return {
        "config": config.model_dump(mode="json"),
        "id": config.id,
        "cost": cost(config)._asdict(),
        "layers": [row._asdict() for row in receipt(config)],
        "made_by": f"espalier {VERSION}",
    }


def read_document(text: str) -> ChannelConfig:
    """The config in an exported `json` or `yaml` file, or a bare one. Raises SpecError if it was changed."""
    data = yaml.safe_load(text)  # JSON is YAML
    if not isinstance(data, dict):
        raise SpecError("a channel config is a mapping; this file holds something else")
    config = ChannelConfig.model_validate(data.get("config", data))
    if data.get("id", config.id) != config.id:
        raise SpecError(f"the file says id {data['id']}, but its config has {config.id}: it was changed after export")
    return config


def _json(source: Source) -> File:
    """The channel config with its cost receipt."""
    return File((json.dumps(document(source.config), indent=2) + "\n").encode(), "application/json", "json")


def _yaml(source: Source) -> File:
    """The same document as YAML."""
    plain = json.loads(json.dumps(document(source.config)))  # tuples are lists in YAML
    return File(yaml.safe_dump(plain, sort_keys=False).encode(), "application/yaml", "yaml")


def _csv(source: Source) -> File:
    """One line per layer: type, channels in and out, kernel, stride, groups, params, MACs."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = {"inputs": "in", "outputs": "out"}
    table.writerow([names.get(field, field) for field in LayerCost._fields])
    for row in receipt(source.config):
        table.writerow(["x".join(map(str, value)) if isinstance(value, tuple) else value for value in row])
    return File(text.getvalue().encode(), "text/csv", "csv")


def _safetensors(source: Source) -> File:
    """Trained weights; the metadata carry the config."""
    if source.weights is None:
        raise SpecError(
            "no weights of this architecture were kept; submit the job with keep_weights, or export another format"
        )
    state = safetensors.torch.load_file(source.weights)
    metadata = {"config": source.config.model_dump_json(), "made_by": f"espalier {VERSION}"}
    return File(safetensors.torch.save(state, metadata), "application/octet-stream", "safetensors")


_PYTHON = '''"""{arch} with {params:,} parameters and {macs:,} multiply-adds, found by Espalier.

    from {module} import build
    net = build()                          # fresh weights, as Espalier trains it from scratch
    net = build("weights.safetensors")     # trained weights

Needs torch alone. Input: [batch, {channels}, {height}, {width}]; output: [batch, {classes}].
"""

import json
import math

import torch
from torch import nn

CONFIG = json.loads({config!r})

LAYERS = {{
{layers}
}}


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        for path, layer in LAYERS.items():
            *parents, name = path.split(".")
            module = self
            for parent in parents:
                if not hasattr(module, parent):
                    module.add_module(parent, nn.Module())
                module = getattr(module, parent)
            module.add_module(name, layer())

{forward}


def initialise(net):
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0, math.sqrt(2 / (layer.weight.shape[0] * layer.weight[0, 0].numel())))
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 0.01)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)) and layer.affine:
            nn.init.constant_(layer.weight, {gamma})
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and layer.bias is not None:
            nn.init.zeros_(layer.bias)


def load(path):
    """A safetensors file as a state dict: eight bytes of header length, a JSON header, then the tensors."""
    types = {{"F64": torch.float64, "F32": torch.float32, "I64": torch.int64}}
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
        net.load_state_dict(load(weights))
    return net
'''


def _python(source: Source) -> File:
    """One Python file with a function `build(weights=None)` that needs torch alone."""
    net = skeleton(source.config).eval()
    try:
        graph = fx.Tracer().trace(net)
        for node in graph.nodes:
            node.type = None  # annotations would need names of their own
        forward = graph.python_code(root_module="self").src.strip("\n")
    except NotImplementedError as error:
        raise SpecError(f"{source.config.arch} cannot be written as one Python file: {error}") from error
    layers = {str(node.target): net.get_submodule(str(node.target)) for node in graph.nodes if node.op == "call_module"}
    params, macs = cost(source.config)
    channels, height, width = source.config.shape
    code = _PYTHON.format(
        arch=source.config.arch,
        module=f"espalier_{source.config.id[:8]}",
        params=params,
        macs=macs,
        channels=channels,
        height=height,
        width=width,
        classes=source.config.classes,
        config=source.config.model_dump_json(),
        layers="\n".join(f'    "{path}": lambda: nn.{_constructor(layer)},' for path, layer in layers.items()),
        forward="\n".join("    " + line if line else "" for line in forward.splitlines()),
        gamma=architecture(source.config.arch).gamma,
    )
    _try_out(code, net, source.config.shape)
    return File(code.encode(), "text/x-python", "py")


def _constructor(layer: nn.Module) -> str:
    """The layer as Python; without an argument of batch norms that older releases of torch do not know."""
    return repr(layer).replace("affine=True, bias=True", "affine=True")


def _try_out(code: str, net: nn.Module, shape: tuple[int, int, int]) -> None:
    """Build the exported network, compare its tensors and run it, before the file leaves."""
    namespace: dict[str, Any] = {}
    exec(compile(code, "<export>", "exec", dont_inherit=True), namespace)  # our own code, written just above
    with torch.device("meta"):
        rebuilt = namespace["Network"]().eval()
        rebuilt(torch.empty(2, *shape))
    shapes = [{name: value.shape for name, value in n.state_dict().items()} for n in (rebuilt, net)]
    if shapes[0] != shapes[1]:
        raise SpecError("this architecture cannot be written as one Python file: its tensors would differ")


EXPORTS: dict[str, Callable[[Source], File]] = {
    "json": _json,
    "yaml": _yaml,
    "csv": _csv,
    "python": _python,
    "safetensors": _safetensors,
}


def export(format: str, config: ChannelConfig, weights: Path | None) -> File:
    """The file of that format. Raises UnknownName or SpecError."""
    if format not in EXPORTS:
        raise UnknownName("export format", format, EXPORTS)
    return EXPORTS[format](Source(config, weights))
