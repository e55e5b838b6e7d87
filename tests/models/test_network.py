"""From names and configs to networks: exact, deterministic, and refused with the name of what is wrong."""

from __future__ import annotations

import pytest
import torch
from pydantic import JsonValue

from espalier.models.architectures import ARCHITECTURES, names
from espalier.models.config import ChannelConfig, ChannelMask
from espalier.models.cost import cost
from espalier.models.errors import ArchitectureError, ConfigError, UnknownArchitecture
from espalier.models.network import Network, build, dense, thinned
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


CHOSEN = SMALL["preresnet20"]
SELECTS = "blocks.1.select"


@pytest.mark.parametrize(
    ("width", "picks", "words"),
    [
        (3, None, "selects 3 of 8 channels, and picks must say which"),
        (3, (0, 1), "has width 3, but 2 picks"),
        (3, (0, 2, 1), "ascending numbers from 0 to 7, each once"),
        (3, (0, 1, 1), "ascending numbers from 0 to 7, each once"),
        (3, (0, 1, 8), "ascending numbers from 0 to 7, each once"),
        (8, tuple(range(8)), "keeps all of its 8 channels, so it needs no picks"),
    ],
)
def test_picks_say_which_channels_are_selected(width: int, picks: tuple[int, ...] | None, words: str) -> None:
    config = CHOSEN.model_copy(
        update={"widths": CHOSEN.widths | {SELECTS: width}, "picks": {SELECTS: picks} if picks else {}}
    )
    with pytest.raises(ConfigError, match=words) as caught:
        build(config)
    assert SELECTS in str(caught.value)


def test_a_network_selects_what_its_config_picks() -> None:
    config = CHOSEN.model_copy(update={"widths": CHOSEN.widths | {SELECTS: 3}, "picks": {SELECTS: (1, 4, 6)}})
    assert build(config).get_buffer(f"{SELECTS}.index").tolist() == [1, 4, 6]
    assert build(CHOSEN).get_buffer(f"{SELECTS}.index").tolist() == list(range(8))
    mask = ChannelMask({name: torch.arange(width) % 2 == 1 for name, width in CHOSEN.widths.items()})
    assert thinned(Network.of(CHOSEN), mask).picks[SELECTS] == (1, 3, 5, 7)


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


@pytest.mark.parametrize("name", ["convnext_tiny", "vit_b_32", "swin_t", "regnet_y_400mf"])
def test_no_memory_is_left_as_it_was(name: str) -> None:
    """Position tables and the like have their constructor's values, the same in every process; nothing is unset."""
    config = dense(f"torchvision/{name}", 4)
    for own in (build(config), build(config)):
        assert all(torch.isfinite(tensor).all() for tensor in own.state_dict().values())
    net = build(config)
    if name == "swin_t":
        assert int(net.get_buffer("features.1.0.attn.relative_position_index").max()) == 168  # of 13 x 13 offsets


def test_networks_of_one_image_size_are_made_for_the_size_that_is_asked_for() -> None:
    assert build(dense("torchvision/vit_b_32", 4, (3, 64, 64))).eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 4)


def test_a_factory_that_raises_is_refused_with_its_words() -> None:
    with pytest.raises(
        ArchitectureError, match=r"vit_b_32 cannot be made for 4 classes of \(3, 65, 65\): AssertionError"
    ):
        dense("torchvision/vit_b_32", 4, (3, 65, 65))


def test_every_name_has_an_entry_and_torchvision_is_found_by_itself() -> None:
    assert set(ARCHITECTURES) < set(names())
    assert "torchvision/resnet18" in names()
    assert len(names()) == len(set(names()))


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UnknownArchitecture, match="no architecture 'vgg99'; there are: lenet300, "):
        dense("vgg99")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (changed(widths=SMALL["vgg11"].widths | {"features.0": 9}), "'features.0' has 1 to 8 channels, got 9"),
        (changed(widths=SMALL["vgg11"].widths | {"extra": 1}), "no group 'extra'; there are: features.0"),
        (changed(widths={}), "the width of group 'features.0' is missing"),
        (changed(picks={"features.0": (1,)}), "'features.0' does not select channels"),
        (changed(picks={"extra": (1,)}), "no group 'extra'"),
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
        ({"depth": 3}, r"depth: Extra inputs .* \(there are: width, batch_norm\)"),
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


def test_the_skeleton_holds_no_memory() -> None:
    config = dense("torchvision/resnet152")
    assert all(parameter.is_meta for parameter in Network.of(config).on_meta().parameters())
    assert all(parameter.is_meta for parameter in Network.of(config).module.parameters())
