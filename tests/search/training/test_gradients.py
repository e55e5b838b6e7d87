"""A batch's gradients are its own, whatever the batch before left; what is learned beside the weights has some, too."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espalier.search import tasks
from espalier.search.recipe import Recipe
from espalier.search.results import Execution
from espalier.search.tasks import Batch
from espalier.search.training.gradients import Gradients

TASK = tasks.create("classification", Recipe(epochs=1, batch_size=4, lr=0.1))
BATCH = Batch(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 1, 0]))


def expected(net: nn.Module, batch: Batch) -> list[Tensor]:
    return [*torch.autograd.grad(TASK.loss(net, batch), [*net.parameters()])]


def test_gradients_are_those_of_one_batch() -> None:
    net = nn.Linear(3, 2)
    gradients = Gradients(net, TASK, Execution())
    for batch in (BATCH, Batch(2 * BATCH.inputs, BATCH.targets), BATCH):
        loss = gradients(batch)
        assert torch.equal(loss, TASK.loss(net, batch))
        assert not loss.requires_grad
        assert all(map(torch.equal, [one.grad for one in net.parameters()], expected(net, batch)))  # type: ignore[arg-type]


def test_what_is_learned_beside_the_weights_is_not_added_up() -> None:
    net, factor = nn.Linear(3, 2), torch.ones(2, requires_grad=True)
    net.register_forward_hook(lambda _module, _given, output: output * factor)
    gradients = Gradients(net, TASK, Execution(), [factor])
    gradients(BATCH)
    assert factor.grad is not None
    first = factor.grad.clone()
    gradients(BATCH)
    assert torch.equal(factor.grad, first)


def test_on_a_processor_nothing_is_recorded() -> None:
    gradients = Gradients(nn.Linear(3, 2), TASK, Execution())
    for _ in range(6):
        gradients(BATCH)
    assert not gradients.is_recorded
