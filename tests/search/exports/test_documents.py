"""The config as a document: read back whatever release wrote it, and refused if it was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from espalier.models.config import ChannelConfig
from espalier.models.document import content_hash
from espalier.models.network import Network
from espalier.search.errors import SpecError
from espalier.search.exports import export, read_document
from tests.search.exports.helpers import FAMILIES, SEEN, pruned, weights_of

VERSION_1: dict[str, Any] = {
    "config": {
        "schema_version": 1, "arch": "lenet5", "options": {}, "classes": 10, "shape": [1, 28, 28],
        "widths": {"features.0": 10, "features.2": 25, "fc1": 250}, "picks": {},
    },
    "id": "59db13d2451cd9cc81c716f45e2f8a7e",
    "cost": {"params": 109295, "macs": 646500},
    "layers": [
        {"layer": "features.0", "type": "Conv2d", "inputs": 1, "outputs": 10, "kernel": [5, 5], "stride": [1, 1], "groups": 1, "params": 260, "macs": 144000},
        {"layer": "features.2", "type": "Conv2d", "inputs": 10, "outputs": 25, "kernel": [5, 5], "stride": [1, 1], "groups": 1, "params": 6275, "macs": 400000},
        {"layer": "fc1", "type": "Linear", "inputs": 400, "outputs": 250, "kernel": [], "stride": [], "groups": 1, "params": 100250, "macs": 100000},
        {"layer": "classifier", "type": "Linear", "inputs": 250, "outputs": 10, "kernel": [], "stride": [], "groups": 1, "params": 2510, "macs": 2500},
    ],
    "made_by": "espalier 0.1.0",
}  # fmt: skip
"""As release 0.1.0 wrote it."""


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("format", ["json", "yaml"])
def test_documents_are_read_back(name: str, format: str) -> None:
    config = pruned(name)
    assert read_document(export(format, config, None).content.decode()) == config


def test_the_document_carries_its_receipt() -> None:
    config = pruned("resnet20")
    document = json.loads(export("json", config, None).content)
    assert document["cost"] == Network.of(config).cost._asdict()
    assert sum(layer["params"] for layer in document["layers"]) == Network.of(config).cost.params
    assert document == yaml.safe_load(export("yaml", config, None).content)


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


def document(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(export("json", pruned("lenet5"), None).content)
    return found | changes


def test_the_hash_is_that_of_the_config_as_it_is_written() -> None:
    one = document()
    assert one["hash"] == content_hash(one["config"])
    assert one["id"] == pruned("lenet5").id
    assert one["config"]["schema_version"] == 2


@pytest.mark.parametrize("dump", [json.dumps, yaml.safe_dump])
def test_a_document_of_version_1_is_read(dump: Any) -> None:
    config = read_document(dump(VERSION_1))
    assert (config.arch, config.classes, config.shape) == ("lenet5", 10, (1, 28, 28))
    assert config.widths == {"features.0": 10, "features.2": 25, "fc1": 250}
    assert config.id == VERSION_1["id"]
    assert Network.of(config).cost._asdict() == VERSION_1["cost"]
    assert read_document(dump(VERSION_1["config"])) == config


def test_a_document_of_version_1_that_was_changed_is_noticed() -> None:
    changed = VERSION_1 | {"config": VERSION_1["config"] | {"classes": 11}}
    with pytest.raises(SpecError, match=r"the file says 59db13d2451cd9cc81c716f45e2f8a7e, but its config has"):
        read_document(json.dumps(changed))


def test_a_document_from_before_a_field_was_there_is_read() -> None:
    """As if `mask` had come later: its default is filled in, and the hash is still of what the file says."""
    one = document()
    older = {name: value for name, value in one["config"].items() if name != "mask"}
    assert read_document(json.dumps(one | {"config": older, "hash": content_hash(older)})) == pruned("lenet5")
    with pytest.raises(SpecError, match="changed after export"):
        read_document(json.dumps(one | {"config": older}))


def test_a_bare_config_is_read_and_an_unhashed_document_too() -> None:
    one = document()
    assert read_document(json.dumps(one["config"])) == pruned("lenet5")
    assert read_document(json.dumps({"config": one["config"]})) == pruned("lenet5")


def test_what_is_no_config_says_what_is_wrong() -> None:
    with pytest.raises(SpecError, match="this is no channel config: widths: Field required"):
        read_document(json.dumps({name: value for name, value in document()["config"].items() if name != "widths"}))
    with pytest.raises(SpecError, match="this is schema version 3; this release reads 1 to 2"):
        read_document(json.dumps(document()["config"] | {"schema_version": 3}))


@pytest.mark.parametrize("number", [1e-05, 1e20, 0.1, 1.0])
def test_numbers_are_read_as_they_were_written(number: float) -> None:
    """JSON writes 1e-05, which YAML takes for a word."""
    config = pruned("lenet5").model_copy(update={"options": {"rate": number}})
    raw = config.model_dump(mode="json")
    assert read_document(json.dumps({"config": raw, "hash": content_hash(raw)})) == config


def test_what_is_known_of_training_stands_in_it(tmp_path: Path) -> None:
    config = pruned("lenet5")
    one = json.loads(export("json", config, weights_of(config, tmp_path / "w")).content)
    assert one["preprocessing"] == json.loads(SEEN.model_dump_json())
    assert "measured" not in one
    assert isinstance(read_document(json.dumps(one)), ChannelConfig)
