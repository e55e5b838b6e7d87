"""The values: frozen, closed, and named by their content."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from espalier.models.config import ChannelConfig, ChannelMask
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
