"""Batch norm's statistics, taken anew: those of the images, whatever was there before."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from espalier.search.recalibration import BATCH, BATCHES, recalibrate
from espalier.search.tasks.base import Batch


def batches(count: int, last: int = BATCH) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    sizes = [BATCH] * (count - 1) + [last]
    return [
        Batch(3 + 2 * torch.randn(size, 4, 5, 5, generator=generator, dtype=torch.double), torch.zeros(size))
        for size in sizes
    ]


def these(some: list[Batch]) -> Callable[[int], Iterator[Batch]]:
    def read(size: int) -> Iterator[Batch]:
        assert size == BATCH
        return iter(some)

    return read


def net() -> nn.Sequential:
    torch.manual_seed(0)
    found = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6, momentum=0.3), nn.ReLU(), nn.Dropout(0.5)).double()
    found[1].running_mean.fill_(100)  # type: ignore[union-attr, operator]
    return found


def test_they_are_the_means_of_batches() -> None:
    some, one = batches(5), net()
    recalibrate(one, these(some))
    seen = [one[0](batch.inputs).transpose(0, 1).flatten(1) for batch in some]
    mean = torch.stack([values.mean(1) for values in seen]).mean(0)
    variance = torch.stack([values.var(1) for values in seen]).mean(0)
    torch.testing.assert_close(one[1].running_mean, mean)
    torch.testing.assert_close(one[1].running_var, variance)


def test_all_else_is_as_it_was() -> None:
    one = net().train()
    weights = one[0].weight.clone()
    recalibrate(one, these(batches(2)))
    assert not any(module.training for module in one.modules())
    assert one[1].momentum == 0.3
    assert torch.equal(one[0].weight, weights)
    assert one[0].weight.grad is None


def test_so_many_images_are_read_and_no_more() -> None:
    read = []

    def endless(size: int) -> Iterator[Batch]:
        while True:
            read.append(size)
            yield from batches(1)

    recalibrate(net(), endless)
    assert read == [BATCH] * BATCHES


def test_a_last_batch_of_one_is_passed_over() -> None:
    one, other = net(), net()
    recalibrate(one, these(batches(2)[:1] + batches(1, last=1)))
    recalibrate(other, these(batches(2)[:1]))
    torch.testing.assert_close(one[1].running_var, other[1].running_var)


def test_a_network_without_any_stays_as_it_is() -> None:
    one = nn.Sequential(nn.Conv2d(4, 6, 3)).double()
    before = one[0].weight.clone()
    recalibrate(one, these(batches(1)))
    assert torch.equal(one[0].weight, before)
