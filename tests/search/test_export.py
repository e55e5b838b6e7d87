"""Exports: each format rebuilds or describes the network exactly, in an empty directory."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml

from models.config import ChannelConfig
from models.cost import cost
from models.registry import build, groups
from search.errors import SpecError, UnknownName
from search.export import EXPORTS, export, read_document
from tests.models.helpers import SMALL, random_mask

FAMILIES = ("vgg11", "resnet20", "mobilenet_v1", "torchvision/resnet18")


def pruned(name: str) -> ChannelConfig:
    config = SMALL[name]
    return config.model_copy(update={"widths": random_mask(groups(config), 4).widths})


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("format", ["json", "yaml"])
def test_documents_are_read_back(name: str, format: str) -> None:
    config = pruned(name)
    assert read_document(export(format, config, None).content.decode()) == config


def test_the_document_carries_its_receipt() -> None:
    config = pruned("resnet20")
    document = json.loads(export("json", config, None).content)
    assert document["cost"] == cost(config)._asdict()
    assert sum(layer["params"] for layer in document["layers"]) == cost(config).params
    assert document == yaml.safe_load(export("yaml", config, None).content)


def test_the_table_adds_up() -> None:
    config = pruned("mobilenet_v1")
    rows = list(csv.DictReader(io.StringIO(export("csv", config, None).content.decode())))
    assert list(rows[0]) == ["layer", "type", "in", "out", "kernel", "stride", "groups", "params", "macs"]
    assert (sum(int(r["params"]) for r in rows), sum(int(r["macs"]) for r in rows)) == cost(config)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_python_file_builds_the_network_with_torch_alone(name: str, tmp_path: Path) -> None:
    """In an empty directory, in an interpreter that cannot see this project, from the file and the weights alone."""
    config = pruned(name)
    net = build(config, 3).eval()
    weights = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(net.state_dict(), weights)
    (tmp_path / "pruned.py").write_bytes(export("python", config, weights).content)
    code = (
        "import sys; sys.modules['search'] = sys.modules['models'] = sys.modules['safetensors'] = None\n"
        "import torch; from pruned import build, CONFIG\n"
        f"x = torch.ones(2, *{config.shape})\n"
        "fresh = build()\n"
        "assert sum(p.numel() for p in fresh.parameters()) > 0\n"
        "print(CONFIG['arch'], build('weights.safetensors').eval()(x).detach().double().flatten().tolist())\n"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + code],
                         cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    arch, _, values = ran.stdout.partition(" ")
    assert arch == config.arch
    expected = net(torch.ones(2, *config.shape)).detach().double().flatten()
    assert torch.allclose(torch.tensor(json.loads(values), dtype=torch.float64), expected, rtol=1e-4, atol=1e-5)


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


def test_a_document_that_was_changed_is_noticed() -> None:
    document = json.loads(export("json", pruned("vgg11"), None).content)
    document["config"]["widths"]["features.0"] += 1
    with pytest.raises(SpecError, match="changed after export"):
        read_document(json.dumps(document))
    with pytest.raises(SpecError, match="a mapping"):
        read_document("[1, 2]")


def test_an_unknown_format_lists_those_there_are() -> None:
    with pytest.raises(UnknownName, match=f"no export format 'pickle'; there are: {', '.join(EXPORTS)}"):
        export("pickle", pruned("vgg11"), None)
