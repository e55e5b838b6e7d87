"""Weights: loaded whole, or refused with the names of what does not fit, and nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from espalier.models.config import ChannelMask
from espalier.models.errors import WeightsError
from espalier.models.network import Network, build, thinned
from espalier.models.weights import load_weights, notes_of, packed, read_weights
from tests.models.helpers import SMALL, same

CONFIG = SMALL["preresnet20"]


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    saved, net = build(CONFIG, 1).state_dict(), build(CONFIG, 2)
    save_file(saved, tmp_path / "w")
    load_weights(net, tmp_path / "w")
    assert all(torch.equal(saved[name], tensor) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"conv1.weight": torch.zeros(3, 3)}, "conv1.weight has shape 3x3, not 2x3x3x3"),
        ({"conv1.weight": None}, "conv1.weight is missing"),
        ({"extra": torch.zeros(1)}, "extra belongs to no layer"),
        ({"select.index": torch.zeros(32)}, r"select.index holds torch.float32, not torch.int64"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(
    change: dict[str, torch.Tensor | None], words: str, tmp_path: Path
) -> None:
    state = build(CONFIG, 1).state_dict() | change
    save_file({name: tensor for name, tensor in state.items() if tensor is not None}, tmp_path / "w")
    net = build(CONFIG, 2)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(WeightsError, match=words):
        load_weights(net, tmp_path / "w")
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_what_is_not_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="w cannot be read as safetensors"):
        load_weights(build(CONFIG), tmp_path / "w")
    with pytest.raises(WeightsError, match="missing cannot be read"):
        load_weights(build(CONFIG), tmp_path / "missing")


def test_weights_that_read_other_channels_are_another_networks(tmp_path: Path) -> None:
    whole = SMALL["preresnet20"]
    half = [ChannelMask({g.name: torch.arange(g.width) % 2 == odd for g in Network.of(whole).groups}) for odd in (0, 1)]
    even, odd = (thinned(Network.of(whole), mask) for mask in half)
    assert even.widths == odd.widths
    save_file(build(even, 1).state_dict(), tmp_path / "w")
    net = build(odd, 2)
    with pytest.raises(WeightsError, match=r"select\.index names other channels or places than this network's does"):
        load_weights(net, tmp_path / "w")
    assert all(torch.equal(tensor, build(odd, 2).state_dict()[name]) for name, tensor in net.state_dict().items())
    load_weights(build(even, 2), tmp_path / "w")


def test_the_same_content_is_the_same_file_and_keeps_its_notes(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(3.0), "a": torch.tensor([True, False])}
    notes = {"config": '{"ä": 1}', "made_by": "a test"}
    data = packed(tensors, notes)
    assert data == packed(dict(reversed(tensors.items())), notes)
    (tmp_path / "w").write_bytes(data)
    assert notes_of(tmp_path / "w") == notes
    assert same(load_file(tmp_path / "w"), tensors)


def test_a_file_without_notes_has_none(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "w")
    assert notes_of(tmp_path / "w") == {}
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(WeightsError, match="x cannot be read as safetensors"):
        notes_of(tmp_path / "x")


def test_many_tensors_that_do_not_fit_are_counted(tmp_path: Path) -> None:
    save_file({"extra": torch.zeros(1)}, tmp_path / "w")
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with pytest.raises(WeightsError, match=r"0.weight is missing; .*1.running_mean is missing; and 3 more"):
        read_weights(net, tmp_path / "w")


def test_numbers_of_another_precision_are_the_networks_all_the_same(tmp_path: Path) -> None:
    save_file({name: tensor.double() for name, tensor in nn.Linear(2, 2).state_dict().items()}, tmp_path / "w")
    assert read_weights(nn.Linear(2, 2), tmp_path / "w")["weight"].dtype == torch.float64
