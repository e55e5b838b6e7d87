"""The tensors of a network by name, and cuts of one of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.config import Slice
from espalier.models.tensors import fill, named_tensors, precision_of, selected, state_of
from tests.models.networks import Tied


def test_tensors_go_by_the_names_that_torch_gives_them() -> None:
    for net in (Tied(), nn.Sequential(Tied(), nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(2)), nn.Linear(2, 2)):
        expected = [*net.named_parameters(), *net.named_buffers()]
        found = [*named_tensors(net).items()]
        assert [name for name, _ in found] == [name for name, _ in expected]
        assert all(mine is theirs for (_, mine), (_, theirs) in zip(found, expected, strict=True))


def test_a_file_has_what_stays_once_and_under_its_first_name() -> None:
    net = nn.Sequential(Tied(), nn.BatchNorm1d(4))
    net.register_buffer("passing", torch.zeros(2), persistent=False)
    assert [*state_of(net)] == [
        "0.table", "0.one.weight", "0.one.bias", "0.two.bias", "1.weight", "1.bias", "1.running_mean",
        "1.running_var", "1.num_batches_tracked",
    ]  # fmt: skip
    assert "passing" in named_tensors(net)


def test_filling_goes_by_those_names_and_reaches_every_place() -> None:
    net = Tied()
    fill(net, {"one.weight": torch.ones(4, 4)})
    assert net.two.weight.tolist() == torch.ones(4, 4).tolist()
    assert net.two.weight is net.one.weight
    with pytest.raises(KeyError):
        fill(net, {"two.weight": torch.ones(4, 4)})


def test_the_precision_is_that_of_the_first_weights() -> None:
    assert precision_of(nn.Linear(2, 2).double()) == torch.float64
    assert precision_of(nn.Linear(2, 2).bfloat16()) == torch.bfloat16
    assert precision_of(nn.Flatten()) == torch.float32


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Slice("w", 1, "in"), [2, 0, 3, 4, 5, 6, 7, 8, 9]),
        (Slice("w", 1, "in", 4), [0, 1, 2, 3, 6, 4, 7, 8, 9]),
        (Slice("w", 1, "in", 4, 2), [0, 1, 2, 3, 8, 9, 4, 5]),
    ],
    ids=str,
)
def test_channels_are_picked_in_their_order_and_what_lies_around_stays(part: Slice, expected: list[int]) -> None:
    rows = torch.arange(10).expand(2, 10)
    assert selected(rows, part, torch.tensor([2, 0]), 3).tolist() == [expected, expected]


def test_all_of_a_dimension_is_picked_from_directly() -> None:
    assert selected(torch.arange(3.0), Slice("w", 0, "scale"), torch.tensor([2, 0]), 3).tolist() == [2, 0]
