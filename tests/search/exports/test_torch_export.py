"""torch.export: checked against the network before it leaves."""

from __future__ import annotations

import io

import pytest
import torch

from espalier.search.errors import SpecError
from espalier.search.exports import export
from tests.search.exports.helpers import pruned


def test_a_program_that_computes_something_else_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    load = torch.export.load

    def altered(file: io.BytesIO) -> torch.export.ExportedProgram:
        program = load(file)
        program.state_dict["classifier.bias"].data += 1
        return program

    monkeypatch.setattr(torch.export, "load", altered)
    with pytest.raises(SpecError, match=r"as torch\.export this network would differ by"):
        export("torch_export", pruned("lenet5"), None)


def test_it_is_loaded_by_torch_alone_with_its_config_beside() -> None:
    config, beside = pruned("lenet5"), {"config": ""}
    program = torch.export.load(io.BytesIO(export("torch_export", config, None).content), extra_files=beside)
    assert beside["config"] in (config.model_dump_json(), config.model_dump_json().encode())
    assert program.module()(torch.zeros(7, *config.shape)).shape == (7, config.classes)
