"""Exports: each format rebuilds or describes the network exactly, in an empty directory."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest
import safetensors.torch
import torch
import yaml

from espalier.models.config import ChannelConfig
from espalier.models.cost import cost
from espalier.models.errors import WeightsError
from espalier.models.network import Network, build, dense, thinned
from espalier.models.self_check import random_mask
from espalier.models.weights import notes_of, packed
from espalier.search.errors import SpecError, UnknownName
from espalier.search.export import EXPORTS, OPSET, export, read_document
from espalier.search.types import Preprocessing
from tests.models.helpers import SMALL

FAMILIES = (
    "lenet300", "lenet5", "conv4", "vgg11", "resnet20", "preresnet20", "densenet40", "mobilenet_v1", "mobilenet_v2",
    *(name for name in SMALL if name.startswith("torchvision/")),
)  # fmt: skip
EVERY_KIND = (*FAMILIES, "torchvision/convnext_tiny", "torchvision/swin_t", "torchvision/vit_b_32")
ONLY_FITS = {"torchvision/maxvit_t": 224}  # its windows tile no smaller image


def pruned(name: str) -> ChannelConfig:
    edge = ONLY_FITS.get(name, 64)
    config = SMALL.get(name) or dense(name, 4, (3, edge, edge))
    return thinned(Network.of(config), random_mask(Network.of(config).groups, 4))


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


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_python_file_builds_the_network_without_this_project(name: str, tmp_path: Path) -> None:
    """In an empty directory, in an interpreter that cannot see this project, from the file and the weights alone."""
    config = pruned(name)
    net = build(config, 3).eval()
    weights = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(net.state_dict(), weights)
    (tmp_path / "pruned.py").write_bytes(export("python", config, weights).content)
    code = (
        "import sys; sys.modules['search'] = sys.modules['models'] = sys.modules['safetensors'] = None\n"
        "import torch; from pruned import build, CONFIG\n"
        "torch.set_num_threads(1)\n"
        f"x = torch.ones(2, *{config.shape})\n"
        "fresh = build()\n"
        "assert fresh.train()(x).isfinite().all()\n"
        "print(CONFIG['arch'], build('weights.safetensors').eval()(x).detach().double().flatten().tolist())\n"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + code],
                         cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    arch, _, values = ran.stdout.partition(" ")
    assert arch == config.arch
    expected = net(torch.ones(2, *config.shape)).detach().double().flatten()
    assert torch.allclose(torch.tensor(json.loads(values), dtype=torch.float64), expected, rtol=1e-4, atol=1e-5)


QUICK = ("lenet5", "resnet20", "preresnet20", "mobilenet_v2", "torchvision/shufflenet_v2_x0_5")
ONE_OF_EACH = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "maxvit_t",
    "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50",
    "resnext50_32x4d", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11", "vgg11_bn", "vit_b_32", "wide_resnet50_2",
)  # fmt: skip
SLOW = sorted({*EVERY_KIND, *(f"torchvision/{name}" for name in ONE_OF_EACH)} - {*QUICK})


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.long) for name in SLOW)])
@pytest.mark.parametrize("format", ["onnx", "torch_export"])
def test_exported_programs_compute_what_the_network_does(name: str, format: str, tmp_path: Path) -> None:
    """With its trained weights, for any batch size, read by the runtimes they are made for."""
    config = pruned(name)
    net = build(config, 3).eval()
    safetensors.torch.save_file(net.state_dict(), tmp_path / "w")
    file = export(format, config, tmp_path / "w")
    path = tmp_path / f"network.{file.suffix}"
    path.write_bytes(file.content)
    x = torch.randn(5, *config.shape)
    if format == "onnx":
        session = onnxruntime.InferenceSession(path)
        found = torch.from_numpy(session.run(["logits"], {"images": x.numpy()})[0])
        assert onnx.load(path).opset_import[0].version == OPSET
    else:
        found = torch.export.load(path).module()(x)
    with torch.no_grad():
        assert torch.allclose(found, net(x), rtol=1e-3, atol=1e-4)


def test_without_its_libraries_onnx_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SpecError, match=r"pip install 'espalier-nas\[onnx\]'"):
        export("onnx", pruned("lenet5"), None)


def test_a_program_that_computes_something_else_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    load = torch.export.load

    def altered(file: io.BytesIO) -> torch.export.ExportedProgram:
        program = load(file)
        program.state_dict["classifier.bias"].data += 1
        return program

    monkeypatch.setattr(torch.export, "load", altered)
    with pytest.raises(SpecError, match=r"as torch\.export this network would differ by"):
        export("torch_export", pruned("lenet5"), None)


@pytest.mark.parametrize("format", ["safetensors", "onnx", "torch_export"])
def test_weights_of_another_network_do_not_leave_in_its_name(format: str, tmp_path: Path) -> None:
    safetensors.torch.save_file(build(pruned("vgg11")).state_dict(), tmp_path / "w")
    with pytest.raises(WeightsError, match=r"conv1.weight is missing; bn1.weight is missing; .*; and \d+ more"):
        export(format, pruned("resnet20"), tmp_path / "w")


@pytest.mark.parametrize("format", ["safetensors", "onnx", "torch_export"])
def test_weights_that_cannot_be_read_do_not_leave(format: str, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="cannot be read as safetensors"):
        export(format, pruned("lenet5"), tmp_path / "w")


def test_weights_leave_with_their_config(tmp_path: Path) -> None:
    config = pruned("vgg11")
    net = build(config, 3)
    safetensors.torch.save_file(net.state_dict(), tmp_path / "w")
    content = export("safetensors", config, tmp_path / "w").content
    again = safetensors.torch.load(content)
    assert all(torch.equal(again[key], value) for key, value in net.state_dict().items())
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert ChannelConfig.model_validate_json(head["__metadata__"]["config"]) == config


SEEN = Preprocessing(dataset='folder:a"""b\\', classes=("cat", 'd"og'), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Weights that say what their images went through."""
    config = pruned("vgg11")
    notes = {"config": config.model_dump_json(), "preprocessing": SEEN.model_dump_json()}
    (tmp_path / "w").write_bytes(packed(build(config, 3).state_dict(), notes))
    return tmp_path / "w"


def test_what_images_went_through_leaves_with_every_format(trained: Path, tmp_path: Path) -> None:
    config = pruned("vgg11")
    files = {format: export(format, config, trained).content for format in EXPORTS}
    assert Preprocessing.model_validate(json.loads(files["json"])["preprocessing"]) == SEEN
    assert Preprocessing.model_validate(yaml.safe_load(files["yaml"])["preprocessing"]) == SEEN
    assert read_document(files["json"].decode()) == config
    (tmp_path / "again").write_bytes(files["safetensors"])
    assert notes_of(tmp_path / "again")["preprocessing"] == SEEN.model_dump_json()
    properties = {one.key: one.value for one in onnx.load_from_string(files["onnx"]).metadata_props}
    assert Preprocessing.model_validate_json(properties["preprocessing"]) == SEEN
    beside = {"preprocessing": ""}
    torch.export.load(io.BytesIO(files["torch_export"]), extra_files=beside)
    assert Preprocessing.model_validate_json(beside["preprocessing"]) == SEEN
    module: dict[str, object] = {}
    exec(files["python"], module)
    assert module["CLASSES"] == list(SEEN.classes)
    prepared = module["prepare"](torch.ones(2, *config.shape))  # type: ignore[operator]
    assert torch.allclose(prepared[1, :, 0, 0], torch.tensor([0.9 / 0.4, 0.8 / 0.5, 0.7 / 0.6])[: config.shape[0]])


@pytest.mark.parametrize("format", ["safetensors", "onnx", "python", "json"])
def test_the_same_network_is_the_same_file(trained: Path, format: str) -> None:
    assert len({export(format, pruned("vgg11"), trained).content for _ in range(4)}) == 1


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
    for text in ("{", "a: b: c", "!!python/object:os.system {}", "\0"):
        with pytest.raises(SpecError, match="JSON or YAML"):
            read_document(text)


def test_an_unknown_format_lists_those_there_are() -> None:
    with pytest.raises(UnknownName, match=f"no export format 'pickle'; there are: {', '.join(EXPORTS)}"):
        export("pickle", pruned("vgg11"), None)
