"""What every task promises; a new one inherits all of it by being in `TASKS`."""

from __future__ import annotations

import pytest
import torch

from espalier.models.network import build, dense
from espalier.search.errors import UnknownName
from espalier.search.recipe import Recipe
from espalier.search.tasks import TASKS, Batch, create

names = pytest.mark.parametrize("name", TASKS)
CONFIG = dense("lenet5", 10, (1, 28, 28))
RECIPE = Recipe(epochs=1, batch_size=8, lr=0.1, label_smoothing=0.1)


@names
def test_it_says_what_it_is_and_what_it_reports(name: str) -> None:
    kind = TASKS[name]
    assert kind.__doc__
    assert kind.reported()[0] == kind.primary
    assert len({metric.name for metric in kind.reported()}) == len(kind.reported())


@names
def test_it_measures_exactly_what_it_reports(name: str) -> None:
    task, net = create(name, RECIPE), build(CONFIG).eval()
    batches = [task.sample(CONFIG, count, torch.Generator().manual_seed(count)) for count in (8, 3)]
    with torch.inference_mode():
        metrics = task.metrics(net, batches)
    assert [*metrics] == [metric.name for metric in task.reported()]
    assert all(isinstance(value, float) and value == value for value in metrics.values())
    units = {metric.name: metric.unit for metric in task.reported()}
    assert all(0 <= value <= 1 for name, value in metrics.items() if units[name] == "fraction")


@names
def test_metrics_do_not_depend_on_how_examples_are_batched(name: str) -> None:
    task, net = create(name, RECIPE), build(CONFIG).eval()
    whole = task.sample(CONFIG, 12, torch.Generator().manual_seed(0))
    parts = [Batch(whole.inputs[i : i + 5], whole.targets[i : i + 5]) for i in range(0, 12, 5)]
    with torch.inference_mode():
        assert task.metrics(net, [whole]) == pytest.approx(task.metrics(net, parts))


@names
def test_its_loss_is_one_finite_number_with_a_gradient(name: str) -> None:
    task, net = create(name, RECIPE), build(CONFIG)
    loss = task.loss(net, task.sample(CONFIG, 8, torch.Generator().manual_seed(0)))
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in net.parameters())


@names
def test_samples_have_the_shapes_of_the_network_and_follow_the_generator(name: str) -> None:
    task = create(name, RECIPE)
    one, same = (task.sample(CONFIG, 5, torch.Generator().manual_seed(1)) for _ in range(2))
    assert tuple(one.inputs.shape) == (5, *CONFIG.shape)
    assert len(one.targets) == 5
    assert torch.equal(one.inputs, same.inputs)
    assert torch.equal(one.targets, same.targets)


def test_a_batch_moves_as_a_whole() -> None:
    batch = Batch(torch.zeros(2, 3), torch.zeros(2)).to("meta")
    assert batch.inputs.is_meta
    assert batch.targets.is_meta


def test_an_unknown_task_lists_those_there_are() -> None:
    with pytest.raises(UnknownName, match=f"no task 'dreaming'; there are: {', '.join(TASKS)}"):
        create("dreaming", RECIPE)
