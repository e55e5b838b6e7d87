"""From names and configs to networks: exact, deterministic, and refused with the name of what is wrong."""

from __future__ import annotations

import pytest
import torch

from models.config import ChannelConfig
from models.errors import ArchitectureError, ConfigError, UnknownArchitecture
from models.registry import ARCHITECTURES, blueprint, build, dense, names, skeleton
from tests.models.helpers import SMALL


def changed(name: str = "vgg11", **changes: object) -> ChannelConfig:
    return SMALL[name].model_copy(update=changes)


@pytest.mark.parametrize("name", SMALL)
def test_a_config_survives_json(name: str) -> None:
    config = SMALL[name]
    again = ChannelConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert again.id == config.id


@pytest.mark.parametrize("name", SMALL)
def test_weights_are_drawn_by_seed(name: str) -> None:
    one, same, other = (build(SMALL[name], seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)
    assert all(torch.isfinite(value).all() for value in one.values())


def test_every_name_has_an_entry_and_torchvision_is_found_by_itself() -> None:
    assert set(ARCHITECTURES) < set(names())
    assert "torchvision/resnet18" in names()
    assert len(names()) == len(set(names()))


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UnknownArchitecture, match="no architecture 'vgg99'; there are: vgg11, "):
        dense("vgg99")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (changed(widths=SMALL["vgg11"].widths | {"features.0": 9}), "'features.0' has 1 to 8 channels, got 9"),
        (changed(widths=SMALL["vgg11"].widths | {"extra": 1}), "no group 'extra'; there are: features.0"),
        (changed(widths={}), "the width of group 'features.0' is missing"),
        (changed(schema_version=2), "schema version 2; this release reads 1"),
        (changed(picks={"features.0": (1,)}), "no groups that select channels"),
    ],
)
def test_a_config_no_network_answers_to_is_refused(config: ChannelConfig, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build(config)


@pytest.mark.parametrize("width", [0, -1, 1.5, True, "3"])
def test_a_width_is_a_positive_whole_number(width: object) -> None:
    with pytest.raises(ValueError, match="features"):
        ChannelConfig.model_validate(SMALL["vgg11"].model_dump() | {"widths": {"features.0": width}})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "greater than 0"),
        ({"depth": 3}, r"depth: Extra inputs .* \(there are: width\)"),
        ({"width": "x"}, "number"),
    ],
)
def test_options_of_a_factory_are_checked(options: dict[str, object], words: str) -> None:
    with pytest.raises(ArchitectureError, match=words):
        dense("vgg11", options=options)  # type: ignore[arg-type]


def test_a_shape_too_small_for_the_pooling_is_refused() -> None:
    with pytest.raises(ArchitectureError, match=r"cannot take an input of shape \(3, 8, 8\) at features"):
        dense("vgg11", shape=(3, 8, 8))


def test_torchvisions_networks_take_colour_images() -> None:
    with pytest.raises(ArchitectureError, match="3 channels, got 1"):
        dense("torchvision/resnet18", 10, (1, 32, 32))


def test_a_network_with_layers_that_cannot_be_initialised_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="no rule to initialise"):
        dense("torchvision/convnext_tiny", 10, (3, 64, 64))


def test_the_skeleton_holds_no_memory() -> None:
    config = dense("torchvision/resnet152")
    assert all(parameter.is_meta for parameter in skeleton(config).parameters())
    assert all(parameter.is_meta for parameter in blueprint(config).skeleton.parameters())
