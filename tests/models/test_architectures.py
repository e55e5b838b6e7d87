"""The registry: names, their options, and what is wrong with what is asked for."""

from __future__ import annotations

import pytest
import torch
from pydantic import JsonValue

from espalier.models.architectures import ARCHITECTURES, architecture, names
from espalier.models.cost import cost
from espalier.models.document import NoOptions
from espalier.models.errors import ArchitectureError, UnknownArchitecture
from espalier.models.network import build, dense


def test_blocks_can_be_left_out_of_residual_networks() -> None:
    """As sparse structure selection removes them: a branch goes, the shortcut that changes the resolution stays."""
    for name in ("resnet56", "preresnet56"):
        whole = dense(name)
        fewer = dense(name, options={"blocks": [4, 0, 3], "bare": [2]})
        assert cost(fewer).params < cost(whole).params
        assert build(fewer).eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"blocks": [3, 3, 3], "bare": []}, {}),
        ({"bare": [2, 1, 1]}, {"bare": [1, 2]}),
        ({"bare": [0]}, {}),
        ({"blocks": [3, 0, 3], "bare": [1]}, {"blocks": [3, 0, 3]}),
    ],
)
def test_one_network_has_one_config(one: dict[str, JsonValue], other: dict[str, JsonValue]) -> None:
    assert dense("resnet20", options=one) == dense("resnet20", options=other)


def test_a_bottleneck_network_can_lose_its_very_first_branch() -> None:
    """Its first shortcut changes the channels, so that the network is not the one with a block less."""
    assert cost(dense("preresnet20", options={"bare": [0]})) != cost(dense("preresnet20"))


def test_networks_of_one_image_size_are_made_for_the_size_that_is_asked_for() -> None:
    assert build(dense("torchvision/vit_b_32", 4, (3, 64, 64))).eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 4)


def test_every_name_has_an_entry_and_torchvision_is_found_by_itself() -> None:
    assert set(ARCHITECTURES) < set(names())
    assert "torchvision/resnet18" in names()
    assert len(names()) == len(set(names()))


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UnknownArchitecture, match="no architecture 'vgg99'; there are: lenet300, "):
        dense("vgg99")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "greater than 0"),
        ({"depth": 3}, r"depth: Extra inputs .* \(there are: width, batch_norm\)"),
        ({"width": "x"}, "number"),
    ],
)
def test_options_of_a_factory_are_checked(options: dict[str, object], words: str) -> None:
    with pytest.raises(ArchitectureError, match=words):
        dense("vgg11", options=options)  # type: ignore[arg-type]


def test_torchvisions_networks_take_colour_images() -> None:
    with pytest.raises(ArchitectureError, match="3 channels, got 1"):
        dense("torchvision/resnet18", 10, (1, 32, 32))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_entry_is_found_by_its_name_and_describes_itself(name: str) -> None:
    entry = architecture(name)
    assert entry.name == name
    assert entry.description
    assert entry.options().model_dump(exclude_defaults=True) == {}
    assert all(field.description for field in entry.options.model_fields.values())


def test_torchvisions_are_made_for_their_own_images_and_classes() -> None:
    entry = architecture("torchvision/inception_v3")
    assert (entry.classes, entry.shape, entry.options) == (1000, (3, 299, 299), NoOptions)
    assert architecture("torchvision/vit_b_32").init.linear == 0.02


@pytest.mark.parametrize("name", ["", "VGG11", "torchvision/", "torchvision/nothing", "resnet18"])
def test_a_name_must_be_written_as_it_stands(name: str) -> None:
    with pytest.raises(UnknownArchitecture, match="there are: "):
        architecture(name)


@pytest.mark.parametrize(
    "options", [{"blocks": [3, 3]}, {"blocks": [3, 3, -1]}, {"bare": [3]}, {"blocks": [1, 1, 1.5]}]
)
def test_blocks_of_residual_networks_are_checked(options: dict[str, JsonValue]) -> None:
    with pytest.raises(ArchitectureError, match=r"options of 'resnet20': (blocks|bare)"):
        dense("resnet20", options=options)
