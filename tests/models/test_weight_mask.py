"""Masks over single weights: named by their content, refused where they do not fit, exact in what they cost."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from espalier.models.errors import ConfigError, WeightsError
from espalier.models.network import Network, build, dense
from espalier.models.weight_mask import WeightMask

CONFIG = dense("lenet5", 10, (1, 16, 16), {"width": 0.2})
NAMES = ("features.0.weight", "fc1.weight")


def drawn(seed: int = 0, share: float = 0.3) -> WeightMask:
    generator, net = torch.Generator().manual_seed(seed), build(CONFIG)
    return WeightMask({name: torch.rand(net.get_parameter(name).shape, generator=generator) < share for name in NAMES})


def test_a_mask_survives_its_file(tmp_path: Path) -> None:
    mask = drawn()
    (tmp_path / "mask").write_bytes(mask.file)
    again = WeightMask.read(tmp_path / "mask")
    assert again.hash == mask.hash
    assert all(torch.equal(kept, again.kept[name]) for name, kept in mask.kept.items())


def test_the_same_mask_has_the_same_name_and_another_has_another() -> None:
    mask = drawn()
    assert WeightMask(dict(reversed(mask.kept.items()))).hash == mask.hash
    assert len({drawn(seed).hash for seed in range(4)}) == 4


@pytest.mark.parametrize("content", [b"", b"nothing", drawn().file[:40]])
def test_what_is_no_mask_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mask").write_bytes(content)
    with pytest.raises(WeightsError, match="mask is no mask of weights"):
        WeightMask.read(tmp_path / "mask")


def test_a_masked_network_is_zero_there_and_the_same_elsewhere() -> None:
    mask, network = drawn(), Network.of(CONFIG).fresh(1)
    masked = network.masked(mask)
    for name, parameter in network.module.named_parameters():
        kept = mask.kept.get(name, torch.ones_like(parameter, dtype=torch.bool))
        assert torch.equal(masked.module.get_parameter(name), parameter * kept)
    assert all(bool((network.module.get_parameter(name) != 0).any()) for name in NAMES), "itself it is left as it is"
    assert masked.config == network.config.model_copy(update={"mask": mask.hash})
    assert masked.config.id != network.config.id


def test_zeros_cost_nothing_and_everything_else_does() -> None:
    mask, network = drawn(), Network.of(CONFIG).fresh(1)
    masked = network.masked(mask)
    gone = {name: int((~kept).sum()) for name, kept in mask.kept.items()}
    assert masked.cost == network.cost == network.counted
    assert masked.counted.params == network.cost.params - sum(gone.values())
    positions = 12 * 12  # of a 5x5 convolution on 16x16
    assert masked.counted.macs == network.cost.macs - gone[NAMES[0]] * positions - gone[NAMES[1]]
    nonzero = sum(int((parameter != 0).sum()) for name, parameter in masked.module.named_parameters() if name in NAMES)
    assert mask.density == pytest.approx(nonzero / sum(kept.numel() for kept in mask.kept.values()))


def test_a_mask_that_does_not_fit_is_refused() -> None:
    network = Network.of(CONFIG).fresh()
    for kept, words in (
        ({"fc9.weight": torch.ones(3, dtype=torch.bool)}, "names 'fc9.weight', which is no parameter"),
        ({"fc1.weight": torch.ones(3, dtype=torch.bool)}, "'fc1.weight' needs a bool mask of shape"),
        ({"fc1.weight": torch.ones(network.module.fc1.weight.shape)}, "got torch.float32"),  # type: ignore[union-attr,operator]
        ({"fc1.bias": torch.zeros(network.module.fc1.bias.shape, dtype=torch.bool)}, "leaves no weight of 'fc1.bias'"),  # type: ignore[union-attr,operator]
    ):
        with pytest.raises(WeightsError, match=words):
            network.masked(WeightMask(kept))


def test_fresh_weights_of_a_masked_config_need_the_mask() -> None:
    masked = Network.of(CONFIG).fresh().masked(drawn())
    assert Network.of(masked.config).cost == masked.cost
    with pytest.raises(ConfigError, match="which only its trained weights come with"):
        build(masked.config)
