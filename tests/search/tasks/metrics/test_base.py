"""What every metric of classifiers promises; a new one inherits all of it by being in `METRICS`."""

from __future__ import annotations

import pytest
import torch

from espalier.search.tasks.metrics import METRICS

names = pytest.mark.parametrize("name", METRICS)


def examples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 5, generator=generator), torch.randint(0, 5, (count,), generator=generator)


@names
def test_it_stands_under_its_own_name(name: str) -> None:
    assert METRICS[name].metric.name == name


@names
def test_it_is_one_number_for_each_example(name: str) -> None:
    found = METRICS[name].of_each(*examples(7)).double()
    assert found.shape == (7,)
    assert found.isfinite().all()
    if METRICS[name].metric.unit == "fraction":
        assert bool(((found >= 0) & (found <= 1)).all())


@names
def test_an_example_counts_the_same_in_any_company(name: str) -> None:
    logits, labels = examples(7)
    found, order = METRICS[name].of_each(logits, labels), torch.randperm(7)
    assert torch.equal(METRICS[name].of_each(logits[order], labels[order]), found[order])
    assert torch.equal(METRICS[name].of_each(logits[:1], labels[:1]), found[:1])


@names
def test_a_perfect_classifier_is_no_worse_than_a_wrong_one(name: str) -> None:
    labels = torch.arange(5)
    right, wrong = (
        float(METRICS[name].of_each(10 * torch.eye(5), given).double().mean()) for given in (labels, labels.roll(1))
    )
    assert right > wrong if METRICS[name].metric.higher_is_better else right < wrong
