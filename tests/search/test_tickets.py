"""Masks of tickets: the paper's densities to the digit, the largest weights, and what was cut never comes back."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from espalier.models.network import Network, dense
from espalier.models.self_check import random_mask as random_channels
from espalier.models.surgery import silence
from espalier.models.tensors import state_of
from espalier.models.weight_mask import WeightMask
from espalier.search.methods.channels import with_role
from espalier.search.spec import TicketRates
from espalier.search.tickets import random_mask, rates_of, ticket_mask, without_channels

LENET = Network.of(dense("lenet300", 10, (1, 28, 28))).fresh(0)


def rounds_of(network: Network, rates: TicketRates, count: int) -> list[WeightMask]:
    """Masks of so many rounds, each from a network whose weights were drawn anew, as training would move them."""
    found: list[WeightMask] = []
    for number in range(1, count + 1):
        trained = network.fresh(number)
        found.append(ticket_mask(trained.masked(found[-1]) if found else trained, rates, number))
    return found


def test_lenet_has_the_papers_densities() -> None:
    """(265,200 * 0.8^r + 1,000 * 0.9^r) / 266,200, as quoted in the paper's figures."""
    masks = rounds_of(LENET, TicketRates(), 20)
    quoted = {3: 51.3, 5: 32.9, 7: 21.1, 9: 13.5, 11: 8.7, 15: 3.6, 16: 2.9, 20: 1.2}
    assert {r: round(100 * masks[r - 1].density, 1) for r in quoted} == quoted
    assert sum(kept.numel() for kept in masks[0].kept.values()) == 266_200


@pytest.mark.parametrize(
    ("arch", "conv", "quoted"),
    [
        ("conv2", 0.1, {11: 8.8, 14: 4.6, 18: 1.9}),
        ("conv4", 0.1, {11: 11.1, 12: 9.2, 13: 7.6, 15: 5.4}),
        ("conv6", 0.15, {7: 26.6, 10: 15.3, 12: 10.6, 13: 8.9}),
    ],
)
def test_conv_networks_have_the_papers_densities(arch: str, conv: float, quoted: dict[int, float]) -> None:
    network = Network.of(dense(arch)).fresh(0)
    for number, density in quoted.items():
        mask = ticket_mask(network, TicketRates(conv_cut=conv), number)
        assert 100 * mask.density == pytest.approx(density, abs=0.06)


@pytest.mark.parametrize(
    ("arch", "whole", "quoted"),
    [
        ("resnet20", 2560 + 640, {4: 41.7, 6: 27.1, 7: 21.9, 10: 11.8}),  # its shortcuts' and its last layer's weights
        ("vgg19", 0, {12: 6.9, 15: 3.5, 19: 1.4}),  # 1.5 in the paper, of 0.8 ** 19 = 1.44
    ],
)
def test_networks_that_are_cut_together_have_the_papers_densities(
    arch: str, whole: int, quoted: dict[int, float]
) -> None:
    network = Network.of(dense(arch)).fresh(0)
    for number, density in quoted.items():
        mask = ticket_mask(network, TicketRates(scope="global", layers="conv"), number)
        cut = sum(kept.numel() for kept in mask.kept.values())
        assert 100 * (mask.density * cut + whole) / (cut + whole) == pytest.approx(density, abs=0.06)


def test_the_last_layer_is_cut_at_half_the_rate_or_not_at_all_where_all_are_ranked_together() -> None:
    assert rates_of(LENET, TicketRates()) == {"fc1.weight": 0.2, "fc2.weight": 0.2, "classifier.weight": 0.1}
    assert rates_of(LENET, TicketRates(scope="global")) == {"fc1.weight": 0.2, "fc2.weight": 0.2}
    assert rates_of(LENET, TicketRates(output_cut=0.0)) == {"fc1.weight": 0.2, "fc2.weight": 0.2}
    vgg = Network.of(dense("vgg11", 10, (3, 32, 32), {"width": 0.1}))
    assert set(rates_of(vgg, TicketRates(layers="conv")).values()) == {0.2}, "its last convolution is no last layer"


@pytest.mark.parametrize("changes", [{}, {"scope": "global"}, {"grain": "channel"}])
def test_what_was_cut_never_comes_back(changes: dict[str, Any]) -> None:
    network = Network.of(dense("lenet5", 10, (1, 16, 16), {"width": 0.4})).fresh(0)
    masks = rounds_of(network, TicketRates.model_validate(changes), 6)
    for earlier, later in itertools.pairwise(masks):
        assert all(bool((earlier.kept[name] | ~kept).all()) for name, kept in later.kept.items())
        assert later.density < earlier.density


def test_the_smallest_go_in_each_layer_or_of_all() -> None:
    layer, together = (ticket_mask(LENET, TicketRates(scope=scope), 2) for scope in ("layer", "global"))  # type: ignore[arg-type]
    values = {name: LENET.module.get_parameter(name).detach().abs() for name in layer.kept}
    for name, kept in layer.kept.items():
        assert float(values[name][kept].min()) >= float(values[name][~kept].max())
    stay = min(float(values[name][kept].min()) for name, kept in together.kept.items())
    go = max(float(values[name][~kept].max()) for name, kept in together.kept.items() if not kept.all())
    assert stay >= go


def test_a_layer_of_zeros_is_never_emptied() -> None:
    network = LENET.fresh(0)
    network.module.get_parameter("fc2.weight").data.zero_()
    for scope in ("layer", "global"):
        mask = ticket_mask(network, TicketRates(scope=scope), 30)  # type: ignore[arg-type]
        mask.check(network.module)
        assert all(bool(kept.any()) for kept in mask.kept.values())


def test_a_channel_ticket_is_the_silenced_network() -> None:
    network = Network.of(dense("resnet20", 10, (1, 32, 32), {"width": 0.5})).fresh(0)
    mask = ticket_mask(network, TicketRates(grain="channel"), 3)
    masked = network.masked(mask)
    widths = {group.name: max(1, round(group.width * 0.8**3)) for group in network.groups}
    assert masked.counted == network.coupling.cost(widths), "as if the channels were cut"
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert masked.module.eval()(x).isfinite().all()


def test_all_that_belongs_to_a_channel_goes_with_it() -> None:
    network = Network.of(dense("vgg11", 10, (1, 32, 32), {"width": 0.1})).fresh(0)
    channels = random_channels(network.groups, 0)
    masked = network.masked(without_channels(network, channels))
    expected = dict(silence(network.module, network.coupling, channels).named_parameters())
    for name, parameter in masked.module.named_parameters():
        assert torch.equal(parameter, expected[name])
    assert state_of(masked.module).keys() == state_of(network.module).keys()


def test_drawn_masks_are_as_large_in_each_layer_or_in_all() -> None:
    rates = TicketRates()
    mask = ticket_mask(LENET, rates, 6)
    within, other, across = (
        random_mask(LENET, rates, 6, draw, across) for draw, across in ((1, False), (2, False), (1, True))
    )
    assert within.densities == mask.densities
    assert across.density == mask.density
    assert across.densities != mask.densities
    assert len({one.hash for one in (mask, within, other, across)}) == 4


@pytest.mark.parametrize("across", [False, True])
def test_drawn_channels_are_whole_and_as_many(across: bool) -> None:
    network, rates = (
        Network.of(dense("resnet20", 10, (1, 32, 32), {"width": 0.5})).fresh(0),
        TicketRates(grain="channel"),
    )
    ticket, drawn = ticket_mask(network, rates, 8), random_mask(network, rates, 8, 1, across)

    def left(mask: WeightMask) -> dict[str, int]:
        """Channels of each group whose scale in the first norm is kept."""
        found = {}
        for group in network.groups:
            (part, *_) = with_role(group, "scale")
            found[group.name] = int(mask.kept[part.tensor].narrow(0, part.start, group.width).sum())
        return found

    assert sum(left(drawn).values()) == sum(left(ticket).values())
    assert (left(drawn) == left(ticket)) is not across
    assert min(left(drawn).values()) >= 1
    assert drawn.hash != ticket.hash
    masked = network.masked(drawn)
    assert masked.counted == network.coupling.cost(left(drawn)), "as if the channels were cut"


def test_one_rate_counts_for_all_layers_that_take_part() -> None:
    network = Network.of(dense("lenet300", 10, (1, 28, 28))).fresh(0)
    total = sum(one.numel() for name, one in network.module.named_parameters() if name.endswith("weight"))
    for output, part in ((0.0, total - 1000), (0.2, total)):
        mask = ticket_mask(network, TicketRates(scope="global", output_cut=output), 1)
        assert sum(int(kept.sum()) for kept in mask.kept.values()) == round(part * 0.8)
