"""What is seen of the layers that read a channel: it sums to their outputs, wherever the channels lie."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from espalier.models.config import ChannelMask
from espalier.search.methods.reading import ReadingOptions, added, drawn_windows, grams, left, readers, window_products
from tests.models.networks import Own
from tests.search.methods.helpers import parent_of

CONVOLUTIONS: list[dict[str, Any]] = [
    {"kernel_size": 3}, {"kernel_size": 3, "padding": 1, "stride": 2}, {"kernel_size": (1, 3), "padding": (0, 1)},
    {"kernel_size": 3, "padding": 2, "dilation": 2}, {"kernel_size": (2, 3), "padding": "same"},
    {"kernel_size": 1, "padding": "valid"},
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_what_channels_add_sums_to_the_outputs_of_the_layer(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 5, **options)).double()
    parent = parent_of(net, (1, 7, 6))
    ((reader,),) = [[*readers(parent.network, group)] for group in parent.network.groups]
    x = torch.randn(3, 4, 7, 6, dtype=torch.double)
    outputs = (net[1](x) - net[1].bias[:, None, None]).flatten(2)  # [images, outputs, places]
    windows = drawn_windows(net[1], x, 6, torch.Generator().manual_seed(0))
    (columns,) = added(net[1], windows, reader)
    sums = columns.sum(0).reshape(3, 6, 5)  # [images, places, outputs]
    for image in range(3):
        for place in sums[image]:
            assert (outputs[image].T - place).abs().max(1).values.min() < 1e-12, "it is the output at some place"


def test_what_a_linear_layer_reads_after_flattening_is_a_block_for_each_channel() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.Flatten(), nn.Linear(3 * 16, 2)).double()
    parent = parent_of(net)
    (reader,) = readers(parent.network, parent.network.groups[0])
    x = torch.randn(2, 48, dtype=torch.double)
    (columns,) = added(net[2], drawn_windows(net[2], x, 1, torch.Generator()), reader)
    assert columns.shape == (3, 4)
    assert torch.allclose(columns.sum(0).reshape(2, 2), x @ net[2].weight.T)


@pytest.mark.parametrize("square", [0, 8192], ids=["by what is added", "by elements"])
def test_products_are_those_of_all_rows_whatever_their_number(square: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("espalier.search.methods.reading.SQUARE", square)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 2)).double()
    parent = parent_of(net, (1, 4, 4))  # one place alone
    rows = []
    with torch.no_grad():
        for examples in list(parent.batches(32))[:2]:
            x = net[1](net[0](examples.inputs))
            rows.append(torch.einsum("ncuv,kcuv->nkc", x, net[2].weight).flatten(0, 1))
    stacked = torch.cat(rows)
    (found,) = grams(parent, ReadingOptions(images=64, places=1)).values()
    assert torch.allclose(found, stacked.T @ stacked)
    (twice,) = grams(parent, ReadingOptions(images=64, places=2)).values()
    assert torch.allclose(twice, 2 * found)


@pytest.mark.parametrize("gathered", [1, 7, 1000])
def test_products_do_not_depend_on_how_many_rows_are_gathered(gathered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("espalier.search.methods.reading.BLOCK", 5)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 2)).double()
    parent, options = parent_of(net, (1, 5, 5)), ReadingOptions(images=96, places=3)
    (found,) = grams(parent, options).values()
    whole = window_products(parent, ["2"], options)["2"]
    monkeypatch.setattr("espalier.search.methods.reading.ROWS", gathered)
    (again,) = grams(parent, options).values()
    assert torch.allclose(again, found, rtol=1e-12)
    assert torch.equal(whole, whole.T)
    assert torch.allclose(window_products(parent, ["2"], options)["2"], whole, rtol=1e-12)


def test_a_linear_layer_without_tokens_is_looked_at_once_an_image() -> None:
    x = torch.randn(3, 4)
    assert torch.equal(drawn_windows(nn.Linear(4, 2), x, 10, torch.Generator()), x)
    assert drawn_windows(nn.Linear(4, 2), torch.randn(3, 5, 4), 10, torch.Generator()).shape == (30, 4)


def test_a_layer_with_one_place_counts_as_often_as_others_have_places() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 4), nn.Flatten(), nn.Linear(3, 2)).double()
    once, often = (grams(parent_of(net, (1, 4, 4)), ReadingOptions(images=32, places=n)) for n in (1, 10))
    ((one,), (ten,)) = once.values(), often.values()
    assert torch.allclose(ten, 10 * one, rtol=1e-12)


def test_rows_that_wait_are_not_changed_by_what_follows() -> None:
    x = torch.randn(3, 4)
    seen = drawn_windows(nn.Linear(4, 2), x, 1, torch.Generator())
    x.zero_()
    assert seen.abs().sum() > 0


def test_only_layers_that_multiply_with_their_own_weight_are_read() -> None:
    class Other(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    def names(reader: nn.Module) -> list[str]:
        network = parent_of(nn.Sequential(nn.Conv2d(1, 4, 1), reader, nn.Conv2d(4, 2, 1))).network
        return [one.part.layer for group in network.groups for one in readers(network, group)]

    assert names(nn.Conv2d(4, 4, 1)) == ["1", "2"]
    assert names(Other(4, 4, 1)) == ["2"]
    assert names(nn.Conv2d(4, 4, 1, groups=2)) == ["2", "2"], "blocks that are cut together"
    assert names(nn.Conv2d(4, 4, 1, padding_mode="reflect")) == ["2"]
    assert names(nn.Conv2d(4, 4, 1, groups=4)) == ["2"], "a depthwise one passes its channels on"


@pytest.mark.parametrize("training", [True, False])
def test_the_network_and_its_mode_are_left_alone(training: bool) -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1)).train(training)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    grams(parent_of(net), ReadingOptions(images=64, places=1))
    assert net.training is training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_what_a_cut_leaves_of_a_weight_that_reads_two_groups() -> None:
    net = Own(
        lambda m, x: m.c(torch.cat([m.a(x), m.b(x)], 1).flatten(1)),
        a=nn.Conv2d(1, 4, 1), b=nn.Conv2d(1, 5, 1), c=nn.Linear(9 * 16, 2),
    )  # fmt: skip
    network = parent_of(net).network
    mask = ChannelMask({"a": torch.arange(4) < 1, "b": torch.arange(5) > 1})
    assert left(network, "c.weight", 1, mask).tolist() == [*range(16), *range(4 * 16 + 2 * 16, 9 * 16)]
    assert left(network, "c.weight", 0, mask).tolist() == [0, 1]
    assert left(network, "b.weight", 0, mask).tolist() == [2, 3, 4]
