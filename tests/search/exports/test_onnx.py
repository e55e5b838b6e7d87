"""ONNX: what it needs, and what the file says of itself."""

from __future__ import annotations

import sys

import onnx
import pytest

from espalier.search.errors import SpecError
from espalier.search.exports import export
from espalier.search.exports.onnx import OPSET
from tests.search.exports.helpers import pruned


def test_without_its_libraries_onnx_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SpecError, match=r"pip install 'espalier-nas\[onnx\]'"):
        export("onnx", pruned("lenet5"), None)


def test_its_inputs_and_outputs_have_names_and_a_free_batch() -> None:
    program = onnx.load_from_string(export("onnx", pruned("lenet5"), None).content)
    assert [one.name for one in program.graph.input] == ["images"]
    assert [one.name for one in program.graph.output] == ["logits"]
    assert program.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert program.opset_import[0].version == OPSET
    onnx.checker.check_model(program)
