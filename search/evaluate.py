"""What a worker runs: one candidate, from its key to its numbers. Knows neither database nor network."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from espalier.models.config import ChannelConfig, Cost
from espalier.models.cost import cost
from espalier.models.network import Network
from espalier.models.self_check import self_check
from espalier.models.tensors import state_of
from espalier.models.weights import packed
from espalier.search import allocate
from espalier.search.data import Places, load
from espalier.search.derive import dense_config, derive
from espalier.search.errors import SpecError
from espalier.search.execution import choose_execution
from espalier.search.methods import create
from espalier.search.plan import plan, recipe_of
from espalier.search.train import Report, accuracy, steps_per_epoch, train
from espalier.search.types import Budget, Candidate, Execution, JobSpec, MadeBy, Preprocessing, Recipe, Result
from espalier.search.version import VERSION


class Evaluated(NamedTuple):
    """A result and, if they were asked for, the trained weights as a safetensors file."""

    result: Result
    weights: bytes | None


def evaluate(
    candidate: Candidate,
    parent: Path | None,
    execution: Execution,
    places: Places,
    keep_weights: bool = True,
    checkpoint: Path | None = None,
    report: Report | None = None,
) -> Evaluated:
    """Derive, build, train and measure one candidate. Raises Diverged, SpecError or ModelError."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or sums on a GPU come in any order
    torch.set_num_threads(execution.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    data = load(candidate.target.dataset, places)
    if data.fingerprint != candidate.data:
        raise SpecError(
            f"{candidate.target.dataset_name} has other images than when the job was submitted; submit again"
        )
    config, net, regularizer = derive(candidate, parent, data)
    recipe = matched(candidate.recipe, cost(dense_config(candidate.target, data)), cost(config))
    if regularizer is not None:
        regularizer.prepare(net, recipe, recipe.epochs * steps_per_epoch(recipe, len(data.train)))
    trained = train(net, data, recipe, candidate.seed, regularizer, report, execution, checkpoint)
    result = Result(
        key=candidate.key,
        config=config,
        cost=cost(config),
        holdout=trained.curve[-1].holdout,
        accuracy=accuracy(net, data, data.test, execution),
        curve=trained.curve,
        seconds=trained.seconds,
        latency_ms=latency(net, config.shape, execution),
        made_by=MadeBy(espalier=VERSION, torch=torch.__version__, execution=execution),
    )
    if not keep_weights:
        return Evaluated(result, None)
    state = {name: value.contiguous().cpu() for name, value in state_of(net).items()}
    seen = Preprocessing(dataset=candidate.target.dataset_name, classes=data.classes, mean=data.mean, std=data.std)
    notes = {"config": config.model_dump_json(), "preprocessing": seen.model_dump_json()}
    return Evaluated(result, packed(state, notes))


def matched(recipe: Recipe, whole: Cost, small: Cost) -> Recipe:
    """The recipe at the length it has for this network: Scratch-E as it stands, Scratch-B at equal compute.

    Scratch-B's epochs are E * MACs(dense) / MACs(small), at most 2E (Liu et al. 2019, section 4).
    """
    if recipe.match == "epochs":
        return recipe
    factor = min(2.0, whole.macs / max(1, small.macs))
    return recipe.model_copy(update={"epochs": int(recipe.epochs * factor)})


def latency(net: nn.Module, shape: tuple[int, ...], execution: Execution, runs: int = 10) -> float:
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


class Examination(NamedTuple):
    """What can be said of a job before it runs."""

    candidates: tuple[Candidate, ...]
    dense: Cost
    epochs: int
    macs: int
    """Multiply-adds of all training, forward and backward (three forward passes); pruned networks are taken to cost
    what uniform ones cost at the same budget."""


def examine(spec: JobSpec, places: Places) -> Examination:
    """Everything that can be found wrong with a spec without training: names, options, data, shapes, budgets.

    Raises SpecError or ModelError.
    """
    recipe_of(spec)  # names first: they cost nothing
    data = load(spec.target.dataset, places)
    whole = dense_config(spec.target, data)
    planned = plan(_plain(spec, whole), data.fingerprint)
    coupling = Network.of(whole).coupling
    if not coupling.groups and spec.budgets:
        reasons = "; ".join(f"{layer}: {reason}" for layer, reason in coupling.kept[:3])
        raise SpecError(f"{spec.target.arch} has no channels that can be pruned ({reasons})")
    _check_batch(Network.of(whole).on_meta(), min(recipe_of(spec).batch_size, len(data.train)), whole.shape)
    if coupling.groups and spec.budgets:
        self_check(whole)  # before hours of training
    for method in spec.methods:
        create(method).ranked(Network.of(whole).on_meta(), coupling.groups)
    epochs = macs = 0
    dense = coupling.cost(whole.widths)
    sizes: dict[Budget | None, Cost] = {None: dense}
    for budget in spec.budgets:
        order = allocate.uniform(coupling.groups, spec.floor)
        sizes[budget] = coupling.cost(allocate.allocate(order, coupling, budget, spec.floor))
    for candidate in planned.candidates:
        small = sizes[candidate.budget]
        length = matched(candidate.recipe, dense, small).epochs
        epochs += length
        macs += 3 * length * len(data.train) * small.macs
    return Examination(planned.candidates, dense, epochs, macs)


def _plain(spec: JobSpec, whole: ChannelConfig) -> JobSpec:
    """The spec with options as they are meant, defaults left out: what is the same has the same key."""
    target = spec.target.model_copy(update={"options": whole.options})
    methods = tuple(
        method.model_copy(update={"options": create(method).options.model_dump(mode="json", exclude_defaults=True)})
        for method in spec.methods
    )
    return spec.model_copy(update={"target": target, "methods": methods})


def _check_batch(net: nn.Module, batch: int, shape: tuple[int, ...]) -> None:
    """Raise SpecError if a training step of this batch size is impossible (batch norm needs two values a channel)."""
    try:
        net.train()(torch.empty((batch, *shape), device="meta"))
    except ValueError as error:
        raise SpecError(
            f"a batch of {batch} images cannot be trained on: {error}; use a larger batch_size or data set"
        ) from error


def prepare(spec: JobSpec, cores: int, places: Places) -> Execution:
    """Find by timing how the job's networks are computed fastest on so many cores."""
    data = load(spec.target.dataset, places)
    batch = min(recipe_of(spec).batch_size, len(data.train))
    most = len(plan(spec, data.fingerprint).candidates)
    return choose_execution(dense_config(spec.target, data), batch, cores, most, places.cache)
