"""Classification: cross entropy with the recipe's smoothing, and means over all examples."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from espalier.models.network import dense
from espalier.search.recipe import Recipe
from espalier.search.results import ACCURACY
from espalier.search.tasks import Batch
from espalier.search.tasks.classification import Classification
from espalier.search.tasks.metrics import METRICS

CONFIG = dense("lenet5", 3, (1, 28, 28))


def task(smoothing: float = 0.0) -> Classification:
    return Classification(Recipe(epochs=1, batch_size=1, lr=0.1, label_smoothing=smoothing))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_by_hand(smoothing: float) -> None:
    """Logits [ln 3, 0]: the first class has 3/4; smoothing moves half of itself to each class."""
    batch = Batch(torch.tensor([[math.log(3), 0.0]]), torch.tensor([0]))
    right = 1 - smoothing / 2
    expected = -right * math.log(3 / 4) - (1 - right) * math.log(1 / 4)
    assert float(task(smoothing).loss(nn.Identity(), batch)) == pytest.approx(expected)


def test_metrics_are_means_over_examples_and_not_over_batches() -> None:
    logits = torch.eye(3)
    batches = [Batch(logits, torch.tensor([0, 1, 2])), Batch(logits[:1], torch.tensor([1]))]
    right, wrong = -math.log(math.e / (math.e + 2)), -math.log(1 / (math.e + 2))
    found = task().metrics(nn.Identity(), batches)
    assert found == {"accuracy": 0.75, "cross_entropy": pytest.approx((3 * right + wrong) / 4)}


def test_networks_are_compared_by_accuracy() -> None:
    assert Classification.primary == ACCURACY == next(iter(METRICS.values())).metric
    assert [metric.name for metric in Classification.reported()] == [*METRICS]


def test_samples_are_of_every_class() -> None:
    assert task().sample(CONFIG, 7).targets.tolist() == [0, 1, 2, 0, 1, 2, 0]
