"""Channel configs as files that rebuild the network anywhere. A new format is one function, one line in `EXPORTS`."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch import Tensor, nn

from espalier.models.config import ChannelConfig
from espalier.models.cost import LayerCost, cost, receipt
from espalier.models.network import Network, build
from espalier.models.tensors import precision_of
from espalier.models.weights import load_weights, notes_of, packed, read_weights
from espalier.search.errors import SpecError, UnknownName
from espalier.search.python_file import CLOSE, python_file
from espalier.search.types import Preprocessing
from espalier.search.version import VERSION

OPSET = 20
"""Version of ONNX's operators that exported files ask for."""


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

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What the trained network wants to see, if there is one and it is known."""
        notes = {} if self.weights is None else notes_of(self.weights)
        return Preprocessing.model_validate_json(notes["preprocessing"]) if "preprocessing" in notes else None

    @property
    def notes(self) -> dict[str, str]:
        """What a file that can carry notes says of itself."""
        seen = self.preprocessing
        about = {} if seen is None else {"preprocessing": seen.model_dump_json()}
        return {"config": self.config.model_dump_json(), **about, "made_by": f"espalier {VERSION}"}


def _document(source: Source) -> dict[str, Any]:
    """The config with its cost receipt, as plain data."""
    config, seen = source.config, source.preprocessing
    return {
        "config": config.model_dump(mode="json"),
        "id": config.id,
        "cost": cost(config)._asdict(),
        "layers": [row._asdict() for row in receipt(config)],
        **({} if seen is None else {"preprocessing": seen.model_dump(mode="json")}),
        "made_by": f"espalier {VERSION}",
    }


def read_document(text: str) -> ChannelConfig:
    """The config in an exported `json` or `yaml` file, or a bare one. Raises SpecError if it was changed."""
    try:
        data = yaml.safe_load(text)  # JSON is YAML
    except yaml.YAMLError as error:
        raise SpecError(f"a channel config is JSON or YAML; this file is neither: {error}") from error
    if not isinstance(data, dict):
        raise SpecError("a channel config is a mapping; this file holds something else")
    config = ChannelConfig.model_validate(data.get("config", data))
    if data.get("id", config.id) != config.id:
        raise SpecError(f"the file says id {data['id']}, but its config has {config.id}: it was changed after export")
    return config


def _json(source: Source) -> File:
    """The channel config with its cost receipt."""
    return File((json.dumps(_document(source), indent=2) + "\n").encode(), "application/json", "json")


def _yaml(source: Source) -> File:
    """The same document as YAML."""
    plain = json.loads(json.dumps(_document(source)))  # tuples are lists in YAML
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


def _python(source: Source) -> File:
    """One Python file with a function `build(weights=None)` that needs torch alone, or torch and torchvision."""
    return File(python_file(source.config, source.preprocessing).encode(), "text/x-python", "py")


def _safetensors(source: Source) -> File:
    """Trained weights; the metadata carry the config, and how images are prepared."""
    if source.weights is None:
        raise SpecError(
            "no weights of this architecture were kept; submit the job with keep_weights, or export another format"
        )
    state = read_weights(Network.of(source.config).module, source.weights)
    return File(packed(state, source.notes), "application/octet-stream", "safetensors")


def _onnx(source: Source) -> File:
    """ONNX with a free batch dimension; checked with onnxruntime before it leaves."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  (torch's exporter needs it)
    except ImportError as error:
        raise SpecError(f"the service lacks what ONNX needs ({error}): pip install 'espalier-nas[onnx]'") from error
    net = _trained(source)
    example = _example(net, source.config)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about each other
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            net, (example,), path, dynamo=True, opset_version=OPSET, external_data=False, verbose=False,
            input_names=["images"], output_names=["logits"], dynamic_shapes=({0: "batch"},),
        )  # fmt: skip
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        _compare("ONNX", net, example, lambda x: torch.from_numpy(session.run(["logits"], {"images": x.numpy()})[0]))
        program = onnx.load(path)
        onnx.helper.set_model_props(program, source.notes)
        return File(program.SerializeToString(deterministic=True), "application/octet-stream", "onnx")


def _torch_export(source: Source) -> File:
    """A `torch.export` program with a free batch dimension, for `torch.export.load`."""
    net, file = _trained(source), io.BytesIO()
    example = _example(net, source.config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about each other
        program = torch.export.export(net, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        torch.export.save(program, file, extra_files=source.notes)
        file.seek(0)
        _compare("torch.export", net, example, torch.export.load(file).module())
    return File(file.getvalue(), "application/octet-stream", "pt2")


def _trained(source: Source) -> nn.Module:
    """The network with its trained weights, if they were kept, else with fresh ones."""
    net = build(source.config).eval()
    if source.weights is not None:
        load_weights(net, source.weights)
    return net


def _example(net: nn.Module, config: ChannelConfig) -> Tensor:
    """Three random images, in the network's own precision."""
    return torch.randn((3, *config.shape), generator=torch.Generator().manual_seed(0)).to(precision_of(net))


def _compare(format: str, net: nn.Module, example: Tensor, other: Callable[[Tensor], Tensor]) -> None:
    """Raise SpecError unless the exported program computes what the network does, for another batch size, too."""
    for x in (example, example[:2]):
        with torch.no_grad():
            expected = net(x)
            difference = float((other(x) - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
        if not difference <= CLOSE:
            raise SpecError(f"as {format} this network would differ by {difference:.2g} of its largest output")


EXPORTS: dict[str, Callable[[Source], File]] = {
    "json": _json,
    "yaml": _yaml,
    "csv": _csv,
    "python": _python,
    "safetensors": _safetensors,
    "onnx": _onnx,
    "torch_export": _torch_export,
}


def export(format: str, config: ChannelConfig, weights: Path | None) -> File:
    """The file of that format. Raises UnknownName or SpecError."""
    if format not in EXPORTS:
        raise UnknownName("export format", format, EXPORTS)
    return EXPORTS[format](Source(config, weights))
