"""ONNX."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import torch

from espalier.search.errors import SpecError
from espalier.search.exports.base import Source, check_alike, example_for
from espalier.search.file import File

OPSET = 20
"""Version of ONNX's operators that exported files ask for."""


def to_onnx(source: Source) -> File:
    """ONNX with a free batch dimension; checked with onnxruntime before it leaves."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  (torch's exporter needs it)
    except ImportError as error:
        raise SpecError(f"the service lacks what ONNX needs ({error}): pip install 'espalier-nas[onnx]'") from error
    net = source.trained()
    example = example_for(net, source.config)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about each other
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            net, (example,), path, dynamo=True, opset_version=OPSET, external_data=False, verbose=False,
            input_names=["images"], output_names=["logits"], dynamic_shapes=({0: "batch"},),
        )  # fmt: skip
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        check_alike("ONNX", net, example, lambda x: torch.from_numpy(session.run(["logits"], {"images": x.numpy()})[0]))
        program = onnx.load(path)
        onnx.helper.set_model_props(program, source.notes)
        return File(program.SerializeToString(deterministic=True), "application/octet-stream", "onnx")
