"""What a machine with a GPU must do as one without: every method from its parent to its cut network, killed and resumed
to the digit. Where there is no GPU, these are skipped."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from espalier.models.network import dense
from espalier.search import tasks
from espalier.search.candidates import Candidate
from espalier.search.datasets import Data, DataPaths
from espalier.search.evaluate import Needs, dense_config, evaluate
from espalier.search.latency import latencies
from espalier.search.methods import METHODS
from espalier.search.recipe import Recipe
from espalier.search.results import Evaluated, Execution, Reported
from espalier.search.spec import JobSpec
from espalier.search.tasks import Batch
from espalier.search.training.execution import choose_execution
from espalier.search.training.gradients import Gradients
from espalier.search.validate import validate
from tests.search.helpers import written

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")

SPEC = {
    "target": {"arch": "resnet20", "options": {"width": 0.25}, "dataset": "digits"},
    "budgets": [{"metric": "macs", "keep": 0.5}],
    "baselines": [],
    "inits": ["scratch", "inherited"],
    "seeds": [0],
    "recipe": {"epochs": 2, "batch_size": 64},
}
EXECUTION = Execution(device="cuda", precision="bfloat16", channels_last=True, threads=2)


class Killed(Exception):
    """The process is gone."""


def interrupted(candidate: Candidate, needs: Needs, paths: DataPaths, checkpoint: Path) -> Evaluated:
    """One candidate whose process is killed after its first epoch was saved, and that goes on."""

    def kill(told: Reported) -> None:
        if told.point.epoch == 1:
            raise Killed

    try:
        return evaluate(candidate, needs, EXECUTION, paths, checkpoint=checkpoint, report=kill)
    except Killed:
        return evaluate(candidate, needs, EXECUTION, paths, checkpoint=checkpoint)


def go_their_way(spec: JobSpec, paths: DataPaths, folder: Path) -> None:
    """All candidates of a job, each alike after a kill."""
    kept: dict[str, dict[str, Path]] = {}
    for candidate in validate(spec, paths).candidates:
        needs = {role: kept[key] for role, key in candidate.needs.items()}
        found = evaluate(candidate, needs, EXECUTION, paths)
        again = interrupted(candidate, needs, paths, folder / f"{candidate.key}.safetensors")
        assert (again.result.curve, again.result.test) == (found.result.curve, found.result.test), candidate.label
        assert again.artifacts.keys() == found.artifacts.keys()
        if found.result.sparsity is not None:
            assert found.result.sparsity.nonzero.macs <= 0.5 * found.result.cost.macs
        kept[candidate.key] = written(found, folder / candidate.key)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_its_way_and_ends_the_same_after_a_kill(
    method: str, paths: DataPaths, tmp_path: Path
) -> None:
    go_their_way(JobSpec.model_validate(SPEC | {"methods": [{"name": method}]}), paths, tmp_path)


def test_adam_and_a_teacher_and_small_images_resume_as_well(paths: DataPaths, tmp_path: Path) -> None:
    changes = {
        "methods": [{"name": "l1_norm"}],
        "inits": ["distilled"],
        "recipe": {"epochs": 2, "batch_size": 64, "optimizer": "adam", "lr": 0.001, "small_first": 0.5},
    }
    go_their_way(JobSpec.model_validate(SPEC | changes), paths, tmp_path)


def test_float32_is_what_a_processor_computes(paths: DataPaths) -> None:
    """Not ten bits of it: the loss of the first epoch agrees to four digits, that of TF32 does to two or three."""
    spec = JobSpec.model_validate(SPEC | {"recipe": {"epochs": 1, "batch_size": 64}})
    candidate = next(one for one in validate(spec, paths).candidates if not one.needs)
    of = {
        device: evaluate(candidate, {}, Execution(device=device, threads=2), paths).result.curve[0].metrics["loss"]
        for device in ("cpu", "cuda")
    }
    assert of["cuda"] == pytest.approx(of["cpu"], rel=1e-3)


def test_a_gpu_is_chosen_and_one_network_alone_gets_all_cores(digits: Data, paths: DataPaths) -> None:
    spec = JobSpec.model_validate(SPEC)
    config = dense_config(spec.target, digits)
    task = tasks.create("classification", Recipe(epochs=1, batch_size=64, lr=0.1))
    chosen = choose_execution(config, task, 64, 8, 8, paths.cache)
    assert chosen.device == "cuda"
    assert 1 <= chosen.threads <= 8
    assert choose_execution(config, task, 64, 8, 1, paths.cache).threads == 8


class Net(nn.Module):
    """One layer with dropout, and what a case adds to its forward pass."""

    def __init__(self, also: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.drop, self.also = nn.Linear(8, 4), nn.Dropout(0.5), also

    def forward(self, x: Tensor) -> Tensor:
        return self.also(self.drop(self.layer(x.flatten(1))))


def losses(net: nn.Module, gradients: Gradients, steps: int = 8) -> list[float]:
    """Of some steps on other batches."""
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, fused=True)
    generator, found = torch.Generator().manual_seed(1), []
    for _ in range(steps):
        batch = Batch(torch.randn(16, 8, generator=generator), torch.randint(4, (16,), generator=generator))
        found.append(float(gradients(batch.to("cuda"))))
        optimizer.step()
    return found


@pytest.mark.parametrize(
    ("also", "is_recorded"),
    [
        (lambda x: x, True),
        (lambda x: x * (2 if float(x.detach().sum()) > 0 else 1), False),  # asks the GPU
        (lambda x: x * random.random(), False),  # a replay would draw the same number for ever
        (lambda x: x * torch.rand(1).cuda(), False),
    ],
)
def test_a_step_is_recorded_only_if_a_replay_is_the_same(also: Callable[[Tensor], Tensor], is_recorded: bool) -> None:
    task = tasks.create("classification", Recipe(epochs=1, batch_size=16, lr=0.1))
    torch.manual_seed(3)
    net = Net(also).cuda()
    first = copy.deepcopy(net.state_dict())
    gradients = Gradients(net, task, EXECUTION)
    random.seed(5)
    found = losses(net, gradients)
    assert gradients.is_recorded == is_recorded
    random.seed(5)
    net.load_state_dict(first)
    plain = Gradients(net, task, EXECUTION)
    plain.records = False
    assert losses(net, plain) == found
    assert not plain.is_recorded


def test_latency_is_that_of_the_gpu() -> None:
    config = dense("resnet20", 10, (1, 32, 32), {"width": 0.25})
    ((one, many),) = latencies([config], 8, 2, "cuda").values()
    assert one.machine == many.machine == torch.cuda.get_device_name()
    assert one.median_ms > 0
