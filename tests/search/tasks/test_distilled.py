"""Learning from a teacher, too: the loss by its formula, the rest the task's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from espalier.search.errors import SpecError
from espalier.search.recipe import Distillation, Recipe
from espalier.search.tasks import Batch, create
from espalier.search.tasks.base import Task
from espalier.search.tasks.distilled import Distilled

RECIPE = Recipe(epochs=1, batch_size=4, lr=0.1)
BATCH = Batch(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)).double(), torch.arange(6) % 3)


def nets() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return nn.Linear(5, 3).double(), nn.Linear(5, 3).double()


def test_the_loss_is_the_papers() -> None:
    net, teacher = nets()
    how = Distillation(temperature=3.0, weight=0.7)
    ours, theirs = net(BATCH.inputs), teacher(BATCH.inputs)
    p, q = (theirs / 3).softmax(1), (ours / 3).softmax(1)
    kl = (p * (p.log() - q.log())).sum(1).mean()
    expected = 0.3 * F.cross_entropy(ours, BATCH.targets) + 0.7 * 9 * kl
    found = Distilled(create("classification", RECIPE), teacher, how).loss(net, BATCH)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_at_both_ends_it_is_one_of_the_two(weight: float) -> None:
    net, _ = nets()
    task = Distilled(create("classification", RECIPE), net, Distillation(weight=weight))
    expected = F.cross_entropy(net(BATCH.inputs), BATCH.targets) if weight == 0 else torch.zeros(())
    assert task.loss(net, BATCH).item() == pytest.approx(expected.item(), abs=1e-12)


def test_a_teacher_learns_nothing_and_drops_nothing() -> None:
    net, teacher = nets()
    whole = nn.Sequential(teacher, nn.Dropout(0.5))
    task = Distilled(create("classification", RECIPE), whole, Distillation())
    first, second = task.loss(net, BATCH), task.loss(net, BATCH)
    assert torch.equal(first, second)
    first.backward()
    assert net.weight.grad is not None
    assert teacher.weight.grad is None


def test_it_is_measured_and_sampled_as_its_task_is() -> None:
    net, teacher = nets()
    plain = create("classification", RECIPE)
    task = Distilled(plain, teacher, Distillation())
    assert task.primary == plain.primary
    with torch.no_grad():
        assert task.metrics(net, [BATCH]) == plain.metrics(net, [BATCH])


def test_a_task_without_such_a_loss_says_so() -> None:
    class Other(type(create("classification", RECIPE))):  # type: ignore[misc]
        taught = Task.taught

    net, teacher = nets()
    with pytest.raises(SpecError, match="other cannot be distilled; leave 'distilled' out of inits"):
        Distilled(Other(RECIPE), teacher, Distillation()).loss(net, BATCH)
