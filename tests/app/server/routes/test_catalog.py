"""The catalog: everything that can be asked for, and what of a network can be pruned."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from espalier.app.server.routes.catalog import KINDS
from tests.app.world import World, problem
from tests.search.helpers import write_images


def test_the_catalog_lists_and_describes(world: World) -> None:
    for kind, name in (
        ("architectures", "resnet20"),
        ("datasets", "digits"),
        ("methods", "slimming"),
        ("exports", "python"),
        ("arms", "uniform"),
        ("planners", "fixed"),
        ("tasks", "classification"),
        ("layers", "Conv2d"),
        ("executors", "local"),
    ):
        entries = world.get(f"/v1/catalog/{kind}")
        assert name in [entry["name"] for entry in entries]
        assert all(entry["description"] for entry in entries)
    about = world.get("/v1/catalog/architectures/vgg11", classes=5, shape="1,32,32", options='{"width": 0.5}')
    assert (about["classes"], about["shape"]) == (5, [1, 32, 32])
    assert about["prunable"] == pytest.approx({"params": 1.0, "macs": 1.0}, abs=1e-4)
    assert about["groups"][0] == {
        "name": "features.0",
        "width": 32,
        "floor": 4,
        "stage": 0,
        "layers": ["features.0", "features.1", "features.4"],
    }
    assert about["frozen"] == [{"layer": "classifier", "reason": "network output"}]


@pytest.mark.parametrize(
    ("name", "frozen"),
    [
        ("preresnet20", "which selects from it"),
        ("torchvision/convnext_tiny", "normalises over channels"),
        ("torchvision/shufflenet_v2_x1_0", "can only be kept or cut all together"),
    ],
)
def test_the_catalog_says_why_layers_stay_dense(world: World, name: str, frozen: str) -> None:
    about = world.get(f"/v1/catalog/architectures/{name}", shape="3,32,32")
    assert 0.7 < about["prunable"]["params"] < 1
    assert any(frozen in layer["reason"] for layer in about["frozen"])


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"shape": "3,32"}, "channels,height,width"),
        ({"shape": "a,b,c"}, "for example 3,32,32"),
        ({"shape": "3,4,4"}, "cannot take an input"),
        ({"classes": 0}, "classes"),
        ({"options": "{"}, "a JSON object"),
        ({"options": "[]"}, "a JSON object"),
        ({"options": '{"width": NaN}'}, "a JSON object"),
        ({"options": '{"width": 1e999}'}, "a JSON object"),
        ({"options": "[" * 1900}, "a JSON object"),
        ({"options": '{"depth": 3}'}, "there are: width"),
    ],
)
def test_bad_questions_to_the_catalog_are_422(world: World, params: dict[str, Any], word: str) -> None:
    problem(world.client.get("/v1/catalog/architectures/vgg11", params=params), 422, word)


def test_what_can_be_set_is_published(world: World) -> None:
    def entry(kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(e for e in world.get(f"/v1/catalog/{kind}") if e["name"] == name)
        return found

    assert "strength" in entry("methods", "slimming")["options"]["properties"]
    assert entry("datasets", "digits")["recipes"]["quick"]["epochs"] > 0
    assert {entry("arms", name)["role"] for name in ("sparse", "dense", "pruned", "random")} == {
        "parent", "reference", "automatic", "baseline",
    }  # fmt: skip
    assert entry("tasks", "classification")["metrics"][0]["name"] == "accuracy"
    assert [world.get(f"/v1/catalog/architectures/{name}")["presets"] for name in ("vgg16", "lenet5")] == [
        ["li2017-A", "thinet-gap", "thinet-tiny"],
        [],
    ]
    assert [entry("methods", name)["finds_widths"] for name in ("slimming", "l1_norm")] == [True, False]
    assert [entry("methods", name)["grain"] for name in ("slimming", "magnitude")] == ["channel", "weight"]
    assert [entry("methods", name)["fine_tuning"]["lr"] for name in ("slimming", "thinet")] == [0.01, 0.1]


def test_every_list_is_there_and_described(world: World) -> None:
    for kind in KINDS:
        assert world.get(f"/v1/catalog/{kind}")
    problem(world.client.get("/v1/catalog/nothing"), 404, "/docs lists what there is")
    described = world.get("/openapi.json")["paths"]
    for kind, words in KINDS.items():
        assert described[f"/v1/catalog/{kind}"]["get"]["description"] == words


def test_a_data_set_is_summed_up(world: World) -> None:
    about = world.get("/v1/catalog/datasets/digits")
    assert about["shape"] == [1, 32, 32]
    assert {part: sum(found.values()) for part, found in about["images"].items()} == {
        "train": 1295, "holdout": 142, "test": 360,
    }  # fmt: skip
    assert base64.b64decode(about["samples"]).startswith(b"\x89PNG")


def test_a_folder_is_summed_up_as_it_would_be_read(world: World) -> None:
    for part in ("train", "val"):
        write_images(world.settings.datasets / "my" / "pets", part)
    about = world.get("/v1/catalog/datasets/folder:my/pets", size=16, fit="pad", channels=1)
    assert about["shape"] == [1, 16, 16]
    assert about["files"]["sizes"] == {"8x8": 48}
    assert "val/ is tested on" in about["files"]["notes"][0]


@pytest.mark.parametrize(
    ("name", "params", "status", "words"),
    [
        ("nonsense", {}, 404, "no data set 'nonsense'; there are: digits"),
        ("digits", {"size": 16}, 422, "size is for folders; digits is read as it is"),
        ("folder:none", {}, 422, "no folder 'none' in the data root"),
        ("folder:none", {"size": 7}, 422, "greater than or equal to 8"),
        ("folder:none", {"fit": "squeeze"}, 422, "'crop' or 'pad'"),
        ("folder:none", {"channels": 2}, 422, "1 for grey or 3 for colour, got 2"),
        ("folder:" + "a" * 300, {}, 422, "cannot be looked for"),
        ("folder:" + "a" * 600, {}, 422, "at most 500"),
        ("folder:../x", {}, 422, "leaves the data root"),
    ],
)
def test_bad_questions_about_data_say_why(
    world: World, name: str, params: dict[str, Any], status: int, words: str
) -> None:
    world.settings.datasets.mkdir(parents=True)
    problem(world.client.get(f"/v1/catalog/datasets/{name}", params=params), status, words)
