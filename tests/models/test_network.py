"""From names and configs to networks: exact, deterministic, and refused with the name of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from espalier.models.config import ChannelConfig, ChannelMask
from espalier.models.cost import cost
from espalier.models.errors import ArchitectureError, ConfigError, ModelError, SurgeryError, WeightsError
from espalier.models.network import Network, build, dense, forget_traced, thinned
from espalier.models.tensors import state_of
from tests.models.helpers import SMALL, close, same


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


@pytest.mark.parametrize("name", ["convnext_tiny", "vit_b_32", "swin_t", "regnet_y_400mf"])
def test_no_memory_is_left_as_it_was(name: str) -> None:
    """Position tables and the like have their constructor's values, the same in every process; nothing is unset."""
    config = dense(f"torchvision/{name}", 4)
    for own in (build(config), build(config)):
        assert all(torch.isfinite(tensor).all() for tensor in own.state_dict().values())
    net = build(config)
    if name == "swin_t":
        assert int(net.get_buffer("features.1.0.attn.relative_position_index").max()) == 168  # of 13 x 13 offsets


def test_a_factory_that_raises_is_refused_with_its_words() -> None:
    with pytest.raises(
        ArchitectureError, match=r"vit_b_32 cannot be made for 4 classes of \(3, 65, 65\): AssertionError"
    ):
        dense("torchvision/vit_b_32", 4, (3, 65, 65))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (changed(widths=SMALL["vgg11"].widths | {"features.0": 9}), "'features.0' has 1 to 8 channels, got 9"),
        (changed(widths=SMALL["vgg11"].widths | {"extra": 1}), "no group 'extra'; there are: features.0"),
        (changed(picks={"features.0": (1,)}), "'features.0' does not select channels"),
        (changed(picks={"extra": (1,)}), "no group 'extra'"),
    ],
)
def test_a_config_no_network_answers_to_is_refused(config: ChannelConfig, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build(config)


def test_a_group_that_an_older_release_did_not_know_is_whole() -> None:
    config = SMALL["vgg11"]
    older = config.model_copy(update={"widths": {n: w for n, w in config.widths.items() if n != "features.0"}})
    network = Network.of(older)
    assert network.widths == config.widths
    assert network.is_dense
    assert network.cost == Network.of(config).cost
    assert same(network.fresh(1).module.state_dict(), build(config, 1).state_dict())


@pytest.mark.parametrize("width", [0, -1, 1.5, True, "3"])
def test_a_width_is_a_positive_whole_number(width: object) -> None:
    with pytest.raises(ValueError, match="features"):
        ChannelConfig.model_validate(SMALL["vgg11"].model_dump() | {"widths": {"features.0": width}})


def test_a_shape_too_small_for_the_pooling_is_refused() -> None:
    with pytest.raises(ArchitectureError, match=r"cannot take an input of shape \(3, 8, 8\) at features"):
        dense("vgg11", shape=(3, 8, 8))


def test_the_skeleton_holds_no_memory() -> None:
    config = dense("torchvision/resnet152")
    assert all(parameter.is_meta for parameter in Network.of(config).on_meta().parameters())
    assert all(parameter.is_meta for parameter in Network.of(config).module.parameters())


WHOLE = Network.of(SMALL["preresnet20"])


def half(network: Network) -> ChannelMask:
    """Every other channel of every group."""
    return ChannelMask({group.name: torch.arange(group.width) % 2 == 0 for group in network.groups})


def test_a_network_without_weights_has_values_only_where_nothing_is_drawn() -> None:
    state = WHOLE.module.state_dict()
    assert {name for name, tensor in state.items() if not tensor.is_meta} == {
        name for name in state if name.endswith(".index") or name == "select.index"
    }
    assert all(tensor.is_meta for tensor in WHOLE.on_meta().state_dict().values())
    assert WHOLE.is_dense


def test_a_network_with_fresh_weights_is_another_one() -> None:
    one, same_again, other = WHOLE.fresh(1), WHOLE.fresh(1), WHOLE.fresh(2)
    assert same(one.module.state_dict(), same_again.module.state_dict())
    assert not same(one.module.state_dict(), other.module.state_dict())
    assert one.config == WHOLE.config
    assert next(WHOLE.module.parameters()).is_meta


def test_weights_come_from_a_file(tmp_path: Path) -> None:
    trained = WHOLE.fresh(3).module
    save_file(state_of(trained), tmp_path / "w")
    assert same(WHOLE.with_weights(tmp_path / "w").module.state_dict(), trained.state_dict())
    with pytest.raises(WeightsError, match="not this network's"):
        Network.of(SMALL["resnet20"]).with_weights(tmp_path / "w")


def test_a_cut_network_is_the_one_that_its_config_describes() -> None:
    parent = WHOLE.fresh(1)
    cut = parent.prune(half(parent))
    again = Network.of(cut.config)
    assert cut.config == thinned(parent, half(parent))
    assert cut.config.widths == half(parent).widths
    assert str(again.module) == str(cut.module)
    assert {k: v.shape for k, v in again.module.state_dict().items()} == {
        k: v.shape for k, v in cut.module.state_dict().items()
    }
    assert cut.cost == again.cost == cost(cut.config)
    assert cut.cost.params == sum(parameter.numel() for parameter in cut.module.parameters())
    assert (parent.is_dense, cut.is_dense, again.is_dense) == (True, False, False)


def test_cutting_changes_no_other_network() -> None:
    parent = WHOLE.fresh(1)
    before = {name: tensor.clone() for name, tensor in parent.module.state_dict().items()}
    parent.prune(half(parent))
    parent.silence(half(parent))
    assert same(before, parent.module.state_dict())
    assert parent.config == WHOLE.config


def test_a_network_of_shapes_is_cut_where_nothing_is_to_be_compared() -> None:
    with pytest.raises(SurgeryError, match="without values cannot be compared"):
        WHOLE.prune(half(WHOLE))
    cut = WHOLE.prune(half(WHOLE), check=False)
    assert cut.module.get_parameter("classifier.weight").is_meta
    assert cut.module.get_buffer("select.index").tolist() == [
        *range(0, len(WHOLE.module.get_buffer("select.index")), 2)
    ]


def test_a_cut_network_cannot_be_cut_again() -> None:
    cut = WHOLE.fresh().prune(half(WHOLE))
    with pytest.raises(SurgeryError, match="was cut already; cut the dense one by one mask"):
        cut.prune(half(WHOLE))


def test_a_mask_that_keeps_everything_leaves_the_network_dense() -> None:
    everything = ChannelMask({group.name: torch.ones(group.width, dtype=torch.bool) for group in WHOLE.groups})
    cut = WHOLE.fresh().prune(everything)
    assert cut.is_dense
    assert cut.config == WHOLE.config


def test_a_silenced_network_keeps_its_size_and_computes_what_the_cut_one_does() -> None:
    parent = Network(WHOLE.config, WHOLE.coupling, WHOLE.fresh(1).module.double().eval())
    silent, cut = parent.silence(half(parent)), parent.prune(half(parent))
    assert silent.config == parent.config
    assert silent.cost == parent.cost
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert close(silent.module(x), cut.module(x))
        assert not close(silent.module(x), parent.module(x))


def test_a_dense_network_is_traced_once() -> None:
    assert Network.of(SMALL["vgg11"]).coupling is Network.of(SMALL["vgg11"]).coupling
    whole = Network.of(SMALL["preresnet20"])
    assert Network.of(thinned(whole, half(whole))).coupling is whole.coupling


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": [{"shape": [3, 32, 32]}, {"shape": [3]}]}, "one image .* this config has inputs of shape"),
        ({"outputs": [{"shape": [4]}, {"shape": [4]}]}, "one image .* and outputs of shape"),
    ],
)
def test_what_this_release_cannot_build_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Network.of(SMALL["vgg11"].model_copy(update=changes))


@pytest.mark.parametrize("shape", [(3,), (3, 32), (3, 32, 32, 32), ()])
def test_images_have_three_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError):
        Network.of(SMALL["vgg11"].model_copy(update={"inputs": ({"shape": shape},)}))


@pytest.mark.parametrize("shape", [(), (4, 2), (4, 1)])
def test_an_output_is_one_number_for_each_class(shape: tuple[int, ...]) -> None:
    """Otherwise one network would have several configs, and so several ids."""
    with pytest.raises(ModelError):
        Network.of(SMALL["vgg11"].model_copy(update={"outputs": ({"shape": shape},)}))


def test_what_is_the_default_is_left_out_of_a_config() -> None:
    assert dense("vgg11", options={"width": 1.0}) == dense("vgg11", 10, (3, 32, 32))
    assert dense("vgg11", options={"width": 0.5}).options == {"width": 0.5}


def test_what_was_traced_can_be_forgotten() -> None:
    before = Network.of(SMALL["lenet5"]).coupling
    forget_traced()
    after = Network.of(SMALL["lenet5"]).coupling
    assert after is not before
    assert after == before


def test_torchs_own_random_state_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    forget_traced()
    build(dense("torchvision/swin_t", 4), 1)
    assert torch.equal(torch.rand(3), expected)
