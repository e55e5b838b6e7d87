"""The catalog: everything that can be asked for, and what of a network can be pruned."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.app.server.routes.catalog import KINDS
from tests.app.world import World, problem


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
        ("torchvision/shufflenet_v2_x0_5", "view rearranges channels"),
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


def test_every_list_is_there_and_described(world: World) -> None:
    for kind in KINDS:
        assert world.get(f"/v1/catalog/{kind}")
    problem(world.client.get("/v1/catalog/nothing"), 404, "/docs lists what there is")
    described = world.get("/openapi.json")["paths"]
    for kind, words in KINDS.items():
        assert described[f"/v1/catalog/{kind}"]["get"]["description"] == words
