"""The values: frozen, closed, and named by their content."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from espalier.models.config import ChannelConfig, ChannelGroup, ChannelMask, Slice, TensorSpec, minimum_width
from espalier.models.document import content_hash

CONFIG = ChannelConfig.of_classifier("vgg11", {}, 10, (3, 32, 32), {"a": 3, "b": 4})


def test_the_order_of_keys_does_not_matter_to_the_hash() -> None:
    assert CONFIG.id == CONFIG.model_copy(update={"widths": {"b": 4, "a": 3}}).id


@pytest.mark.parametrize(
    "change",
    [{"arch": "vgg13"}, {"outputs": ({"shape": (9,)},)}, {"widths": {"a": 3, "b": 5}}, {"options": {"width": 1.0}}],
)
def test_every_field_counts_in_the_hash(change: dict[str, object]) -> None:
    assert CONFIG.id != CONFIG.model_copy(update=change).id


def test_a_hash_stands_for_ever() -> None:
    """A change here renames everything users have stored: raise the schema version instead."""
    assert CONFIG.id == "d55e749006cc86c10a4ccd1215360f5b"
    assert content_hash({"a": 1.5, "b": [1, "é"]}) == "7ad63dd1343d03a517d680e587c3732d"


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"inputs": ()},
        {"inputs": ({"shape": (3, 0, 32)},)},
        {"outputs": ({"shape": (0,)},)},
        {"arch": ""},
        {"schema_version": 3},
    ],
)
def test_what_is_not_a_config_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ChannelConfig.model_validate(CONFIG.model_dump() | change)


def test_configs_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        CONFIG.arch = "vgg13"


def test_a_mask_knows_its_widths() -> None:
    assert ChannelMask({"a": torch.tensor([True, False, True])}).widths == {"a": 2}


VERSION_1 = {
    "schema_version": 1, "arch": "vgg11", "options": {}, "classes": 10, "shape": [3, 32, 32],
    "widths": {"a": 3, "b": 4}, "picks": {},
}  # fmt: skip
TWO_INPUTS = CONFIG.model_copy(update={"inputs": (TensorSpec(shape=(3, 32, 32)), TensorSpec(shape=(7,)))})
MASKED = CONFIG.model_copy(update={"mask": "0" * 32})
LONG = CONFIG.model_copy(update={"outputs": (TensorSpec(shape=(10, 8)),)})


def test_a_config_of_the_first_version_is_read_and_keeps_its_id() -> None:
    assert ChannelConfig.read(VERSION_1) == ChannelConfig.model_validate(VERSION_1) == CONFIG
    assert ChannelConfig.read({key: VERSION_1[key] for key in ("arch", "classes", "shape", "widths")}) == CONFIG
    assert content_hash(VERSION_1) == CONFIG.id == "d55e749006cc86c10a4ccd1215360f5b"


def test_a_config_without_a_version_is_of_the_newest_unless_it_was_stored() -> None:
    raw = CONFIG.model_dump(exclude={"schema_version"})
    assert ChannelConfig.model_validate(raw) == CONFIG
    with pytest.raises(ValidationError, match="classes"):
        ChannelConfig.model_validate({key: value for key, value in VERSION_1.items() if key != "schema_version"})


def test_a_config_of_the_first_version_without_its_fields_is_refused() -> None:
    for missing in ("classes", "shape"):
        with pytest.raises(ValidationError):
            ChannelConfig.read({key: value for key, value in VERSION_1.items() if key != missing})


@pytest.mark.parametrize("config", [CONFIG, TWO_INPUTS, MASKED, LONG], ids=["plain", "two inputs", "mask", "long"])
def test_a_config_survives_json(config: ChannelConfig) -> None:
    again = ChannelConfig.model_validate_json(config.model_dump_json())
    assert again == config == ChannelConfig.read(config.model_dump(mode="json"))
    assert again.id == config.id
    assert again.model_dump_json() == config.model_dump_json()


def test_what_the_first_version_could_not_say_has_an_id_of_its_own() -> None:
    ids = [config.id for config in (CONFIG, TWO_INPUTS, MASKED, LONG)]
    assert len(set(ids)) == 4
    assert [content_hash(config) for config in (TWO_INPUTS, MASKED, LONG)] == ids[1:]


def test_a_classifiers_config_has_one_input_and_one_output() -> None:
    assert (CONFIG.shape, CONFIG.classes) == ((3, 32, 32), 10)
    assert CONFIG.inputs == (TensorSpec(shape=(3, 32, 32)),)
    assert CONFIG.outputs == (TensorSpec(shape=(10,)),)


@pytest.mark.parametrize("picks", [(-1, 1, 2), (1.5,), (True,), ("1",)])
def test_picks_are_numbers_of_channels(picks: tuple[object, ...]) -> None:
    with pytest.raises(ValidationError, match="picks"):
        CONFIG.model_copy(update={"picks": {"a": picks}})


@pytest.mark.parametrize("extent", [0, -3, 1.5, True, "3", 100_001])
def test_an_extent_is_a_positive_whole_number(extent: object) -> None:
    with pytest.raises(ValidationError, match="shape"):
        TensorSpec.model_validate({"shape": [3, extent]})


@pytest.mark.parametrize(
    ("width", "keep", "expected"),
    [(1, 0.1, 1), (10, 0.1, 1), (11, 0.1, 2), (64, 0.1, 7), (64, 0.0, 1), (64, 1.0, 64), (3, 0.5, 2), (5, 2.0, 5)],
)
def test_the_least_width_is_a_share_rounded_up(width: int, keep: float, expected: int) -> None:
    assert minimum_width(width, keep) == expected


def test_a_slice_knows_its_layer_and_a_group_its_layers_in_order() -> None:
    slices = (Slice("b.conv.weight", 0, "out"), Slice("b.conv.bias", 0, "shift"), Slice("a.weight", 1, "in"))
    assert [part.layer for part in slices] == ["b.conv", "b.conv", "a"]
    assert Slice("scale", 0, "other").layer == ""
    assert ChannelGroup("b.conv", 8, 1, 0, slices).layers == ("b.conv", "a")
