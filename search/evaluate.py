"""What a worker runs: one candidate, from its key to its numbers. Knows neither database nor network."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from espalier.models.architectures import architecture
from espalier.models.config import ChannelConfig, Shape
from espalier.models.network import Network, dense
from espalier.models.tensors import state_of
from espalier.models.weights import packed
from espalier.search import methods, tasks
from espalier.search.candidates import Candidate
from espalier.search.datasets import Data, DataPaths, load
from espalier.search.derivation import Derivation, Start
from espalier.search.errors import SpecError
from espalier.search.methods.base import Parent
from espalier.search.recipe import Recipe
from espalier.search.results import WEIGHTS, Evaluated, Execution, MadeBy, Preprocessing, Ran, Result
from espalier.search.schedule import matched, steps_per_epoch
from espalier.search.scores import Scores, remembered
from espalier.search.spec import MethodSpec, Target
from espalier.search.tasks import Batch, Task
from espalier.search.training.batches import plain_batches
from espalier.search.training.loop import Report, Trained, measure, train
from espalier.search.version import VERSION


def evaluate(
    candidate: Candidate,
    needs: Mapping[str, Path],
    execution: Execution,
    paths: DataPaths,
    keep_weights: bool = True,
    checkpoint: Path | None = None,
    report: Report | None = None,
) -> Evaluated:
    """Derive, build, train and measure one candidate. Raises Diverged, SpecError or ModelError.

    `needs` has by role the safetensors files of the candidates in `candidate.needs`.
    """
    _settle(execution)
    data = _data_of(candidate, paths)
    whole = Network.of(dense_config(candidate.target, data))
    task = tasks.create(candidate.target.task, candidate.recipe)
    start = derive(candidate, whole, task, data, needs, paths)
    network, recipe = start.network, matched(candidate.recipe, whole.cost, start.network.cost)
    steps = recipe.epochs * steps_per_epoch(recipe, len(data.train))
    regularizer = start.method.regularizer(network, recipe, steps) if start.method else None
    trained = train(network.module, task, data, recipe, candidate.seed, regularizer, report, execution, checkpoint)
    result = Result(
        key=candidate.key,
        config=network.config,
        cost=network.cost,
        metric=task.primary,
        holdout=trained.holdout,
        test=measure(network.module, task, data, "test", execution),
        curve=trained.curve,
        ran=_ran(trained, candidate.recipe, recipe),
        seconds=trained.seconds,
        latency_ms=latency(network.module, network.config.shape, execution),
        made_by=MadeBy(espalier=VERSION, torch=torch.__version__, execution=execution),
    )
    return Evaluated(result, {WEIGHTS: _weights(network, candidate, data, result)} if keep_weights else {})


def _settle(execution: Execution) -> None:
    """Make this process compute as it must, and the same again."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or sums on a GPU come in any order
    torch.set_num_threads(execution.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)


def _data_of(candidate: Candidate, paths: DataPaths) -> Data:
    """The candidate's images, normalised as its architecture wants them, if that says so."""
    data = load(candidate.target.dataset, paths)
    if data.fingerprint != candidate.data:
        raise SpecError(
            f"{candidate.target.dataset_name} has other images than when the job was submitted; submit again"
        )
    own = architecture(candidate.target.arch)
    suits = len(own.mean) == data.shape[0]
    return replace(data, mean=own.mean, std=own.std) if suits else data


def dense_config(target: Target, data: Data) -> ChannelConfig:
    """The target's whole network. Raises ModelError if it cannot take the data set's images."""
    return dense(target.arch, len(data.classes), data.shape, target.options)


def derive(
    candidate: Candidate, whole: Network, task: Task, data: Data, needs: Mapping[str, Path], paths: DataPaths
) -> Start:
    """The candidate's network with its starting weights, and the method that its training follows, if one."""
    if missing := sorted(set(candidate.needs) - set(needs)):
        raise ValueError(f"candidate {candidate.label!r} needs the weights of its {', '.join(missing)}")

    @functools.cache
    def parent(role: str) -> Parent:
        return Parent(whole.with_weights(needs[role]), task, functools.partial(_examples, data))

    def scores(method: MethodSpec, role: str) -> Scores:
        return remembered(paths.cache, method, needs[role], lambda: methods.create(method).score(parent(role)))

    return candidate.origin.derive(Derivation(whole, candidate.seed, candidate.minimum_keep, parent, scores))


def _examples(data: Data, size: int) -> Iterator[Batch]:
    return plain_batches(data, "train", size, Execution())


def _ran(trained: Trained, asked: Recipe, recipe: Recipe) -> Ran:
    """What was really done, with a note where training was stretched."""
    if recipe.epochs == asked.epochs:
        return trained.ran
    note = f"trained for {recipe.epochs} epochs instead of {asked.epochs}, to spend what the dense network does"
    return trained.ran.model_copy(update={"notes": (*trained.ran.notes, note)})


def _weights(network: Network, candidate: Candidate, data: Data, result: Result) -> bytes:
    """A safetensors file that says what it is, how images are prepared for it, and how good it is."""
    seen = Preprocessing(dataset=candidate.target.dataset_name, classes=data.classes, mean=data.mean, std=data.std)
    measured = result.model_dump_json(include={"metric", "holdout", "test"})
    notes = {
        "config": network.config.model_dump_json(),
        "preprocessing": seen.model_dump_json(),
        "measured": measured,
    }
    state = {name: value.contiguous().cpu() for name, value in state_of(network.module).items()}
    return packed(state, notes)


def latency(net: nn.Module, shape: Shape, execution: Execution, runs: int = 10) -> float:
    """Milliseconds for one input in evaluation mode, on one thread; the fastest of `runs`, to shut out other load."""
    net.eval()
    torch.set_num_threads(1)
    x = torch.zeros(1, *shape, device=execution.device)
    seconds = []
    with torch.inference_mode():
        for _ in range(runs + 1):  # the first warms up
            started = time.perf_counter()
            net(x).cpu()  # waits for the device
            seconds.append(time.perf_counter() - started)
    return 1000 * min(seconds[1:])
