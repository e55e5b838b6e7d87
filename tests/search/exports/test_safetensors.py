"""Trained weights leave with their config, and only in their own network's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from espalier.models.config import ChannelConfig
from espalier.models.network import build
from espalier.models.weights import notes_of
from espalier.search.errors import SpecError
from espalier.search.exports import export
from espalier.search.version import VERSION
from tests.search.exports.helpers import SEEN, pruned, weights_of


def test_weights_leave_with_their_config(tmp_path: Path) -> None:
    config = pruned("vgg11")
    net = build(config, 3)
    safetensors.torch.save_file(net.state_dict(), tmp_path / "w")
    content = export("safetensors", config, tmp_path / "w").content
    again = safetensors.torch.load(content)
    assert all(torch.equal(again[key], value) for key, value in net.state_dict().items())
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert ChannelConfig.model_validate_json(head["__metadata__"]["config"]) == config


def test_weights_that_were_not_kept_cannot_leave() -> None:
    with pytest.raises(SpecError, match="no weights of this architecture were kept"):
        export("safetensors", pruned("vgg11"), None)


def test_notes_that_are_not_for_others_stay_here(tmp_path: Path) -> None:
    config = pruned("lenet5")
    path = weights_of(config, tmp_path / "w")
    (tmp_path / "again").write_bytes(export("safetensors", config, path).content)
    notes = notes_of(tmp_path / "again")
    assert set(notes) == {"config", "preprocessing", "made_by"}
    assert (notes["made_by"], notes["preprocessing"]) == (f"espalier {VERSION}", SEEN.model_dump_json())
