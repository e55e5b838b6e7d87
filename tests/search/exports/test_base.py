"""What every export promises; a new one inherits most of it by being in `EXPORTS`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import onnx
import onnxruntime
import pytest
import safetensors.torch
import torch
import yaml
from torch import nn

from espalier.models.errors import WeightsError
from espalier.models.network import Network, build, dense
from espalier.models.tensors import state_of
from espalier.models.weights import notes_of, packed
from espalier.search.errors import SpecError, UnknownName
from espalier.search.exports import EXPORTS, export, read_document
from espalier.search.exports.base import CLOSE, Source, check_alike, example_for
from espalier.search.exports.onnx import OPSET
from espalier.search.file import File
from espalier.search.results import Preprocessing
from espalier.search.spec import TicketRates
from espalier.search.tickets import ticket_mask
from tests.search.exports.helpers import EVERY_KIND, SEEN, pruned, weights_of

QUICK = ("lenet5", "resnet20", "preresnet20", "mobilenet_v2", "torchvision/shufflenet_v2_x0_5")
ONE_OF_EACH = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "maxvit_t",
    "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50",
    "resnext50_32x4d", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11", "vgg11_bn", "vit_b_32", "wide_resnet50_2",
)  # fmt: skip
SLOW = sorted({*EVERY_KIND, *(f"torchvision/{name}" for name in ONE_OF_EACH)} - {*QUICK})


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Weights that say what their images went through."""
    return weights_of(pruned("vgg11"), tmp_path / "w")


@pytest.mark.parametrize("format", EXPORTS)
def test_every_format_gives_bytes_and_says_how_to_hand_them_out(format: str, trained: Path) -> None:
    file = export(format, pruned("vgg11"), trained)
    assert isinstance(file, File)
    assert isinstance(file.content, bytes)
    assert file.content
    assert "/" in file.media_type
    assert file.suffix.isalnum()
    assert EXPORTS[format].__doc__


@pytest.mark.parametrize("format", sorted({*EXPORTS} - {"safetensors"}))
def test_without_weights_every_other_format_still_leaves(format: str) -> None:
    assert export(format, pruned("lenet5"), None).content


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
    for wrong in (torch.ones(2, *config.shape, dtype=torch.uint8), 255 * torch.ones(2, *config.shape)):
        with pytest.raises(ValueError, match="divided by 255 first"):
            module["prepare"](wrong)  # type: ignore[operator]
    prepared = module["prepare"](torch.ones(2, *config.shape))  # type: ignore[operator]
    assert torch.allclose(prepared[1, :, 0, 0], torch.tensor([0.9 / 0.4, 0.8 / 0.5, 0.7 / 0.6])[: config.shape[0]])


@pytest.mark.parametrize("format", ["safetensors", "onnx", "python", "json"])
def test_the_same_network_is_the_same_file(trained: Path, format: str) -> None:
    assert len({export(format, pruned("vgg11"), trained).content for _ in range(4)}) == 1


def test_an_unknown_format_lists_those_there_are() -> None:
    with pytest.raises(UnknownName, match=f"no export format 'pickle'; there are: {', '.join(EXPORTS)}"):
        export("pickle", pruned("vgg11"), None)


def test_how_good_a_network_is_leaves_with_it(tmp_path: Path) -> None:
    config, measured = pruned("lenet5"), {"metric": {"name": "accuracy"}, "test": {"accuracy": 0.5}}
    (tmp_path / "w").write_bytes(packed(build(config).state_dict(), {"measured": json.dumps(measured)}))
    assert json.loads(export("json", config, tmp_path / "w").content)["measured"] == measured
    assert json.loads(Source(config, tmp_path / "w").notes["measured"]) == measured
    assert Source(config, tmp_path / "w").preprocessing is None


def test_without_weights_there_is_nothing_to_tell() -> None:
    source = Source(pruned("lenet5"), None)
    assert (source.preprocessing, source.measured, set(source.notes)) == (None, None, {"config", "made_by"})


def test_a_source_is_its_weights_or_fresh_ones(tmp_path: Path) -> None:
    config = pruned("lenet5")
    for path, seed in ((None, 0), (weights_of(config, tmp_path / "w", seed=3), 3)):
        net, expected = Source(config, path).trained(), build(config, seed).state_dict()
        assert not net.training
        assert all(torch.equal(value, expected[name]) for name, value in net.state_dict().items())


def test_what_differs_does_not_pass_as_alike() -> None:
    net = nn.Linear(3, 2)
    x = torch.ones(3, 3)
    check_alike("x", net, x, lambda x: net(x) * (1 + CLOSE / 2))
    for other in (lambda x: net(x) * 1.1, lambda x: net(x) * float("nan")):
        with pytest.raises(SpecError, match="as x this network would differ by"):
            check_alike("x", net, x, other)


def test_a_program_for_one_batch_size_does_not_pass_as_alike() -> None:
    net = nn.Linear(3, 2)
    with pytest.raises((SpecError, RuntimeError)):
        check_alike("x", net, torch.ones(3, 3), lambda x: net(x.view(3, 3)))


def test_examples_are_in_the_networks_own_precision() -> None:
    config = pruned("lenet5")
    assert example_for(build(config).double(), config).dtype == torch.float64
    assert example_for(build(config), config).shape == (3, *config.shape)


@pytest.mark.parametrize("format", EXPORTS)
def test_masked_weights_leave_with_their_zeros_and_need_them(format: str, tmp_path: Path) -> None:
    network = Network.of(dense("lenet5", 10, (1, 16, 16), {"width": 0.2})).fresh(1)
    masked = network.masked(ticket_mask(network, TicketRates(), 4))
    weights = tmp_path / "weights"
    weights.write_bytes(packed(state_of(masked.module), {"config": masked.config.model_dump_json()}))
    content = export(format, masked.config, weights).content
    assert (b"Single weights of it are cut" in content) == (format == "python")
    again = Network.of(masked.config).with_weights(weights).module
    assert all(torch.equal(again.get_parameter(name), one) for name, one in masked.module.named_parameters())
