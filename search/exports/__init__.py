"""Export formats by name: a network as a file that rebuilds it anywhere. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from espalier.models.config import ChannelConfig
from espalier.search.errors import UnknownName
from espalier.search.exports.base import Source
from espalier.search.exports.documents import read_document, to_json, to_yaml
from espalier.search.exports.layers_csv import to_csv
from espalier.search.exports.onnx import to_onnx
from espalier.search.exports.python_file import to_python
from espalier.search.exports.safetensors import to_safetensors
from espalier.search.exports.torch_export import to_torch_export
from espalier.search.file import File

EXPORTS: dict[str, Callable[[Source], File]] = {
    "json": to_json,
    "yaml": to_yaml,
    "csv": to_csv,
    "python": to_python,
    "safetensors": to_safetensors,
    "onnx": to_onnx,
    "torch_export": to_torch_export,
}


def export(format: str, config: ChannelConfig, weights: Path | None, are_lost: bool = False) -> File:
    """The file of that format. Raises UnknownName or SpecError; where it cannot do without weights that were kept and
    `are_lost`, WeightsLost."""
    if format not in EXPORTS:
        raise UnknownName("export format", format, EXPORTS)
    return EXPORTS[format](Source(config, weights, are_lost))


__all__ = ["EXPORTS", "File", "export", "read_document"]
