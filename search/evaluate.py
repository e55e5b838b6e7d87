"""What a worker runs: one candidate, from its key to its numbers. Knows neither database nor network."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file
from torch import Tensor, nn

from espalier.models.architectures import architecture
from espalier.models.config import ChannelConfig, Shape
from espalier.models.network import Network, dense
from espalier.models.tensors import state_of
from espalier.models.weight_mask import WeightMask
from espalier.models.weights import notes_of, packed
from espalier.search import ledger, methods, tasks
from espalier.search.candidates import Candidate
from espalier.search.datasets import Data, DataPaths, known
from espalier.search.derivation import UNTRAINED, Derivation, Start
from espalier.search.ledger import Efforts
from espalier.search.methods.base import Parent
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Masked, Regularizer, Together
from espalier.search.results import (
    LEARNED,
    MASK,
    NOTES,
    WEIGHTS,
    Effort,
    Evaluated,
    Execution,
    Ledger,
    MadeBy,
    Preprocessing,
    Ran,
    Result,
)
from espalier.search.schedule import TRAINING, matched, steps_per_epoch
from espalier.search.scores import Scores, Scoring, remembered
from espalier.search.spec import MethodSpec, Target
from espalier.search.tasks import Batch, Task
from espalier.search.tasks.distilled import Distilled
from espalier.search.training.augment import takes_small
from espalier.search.training.batches import plain_batches
from espalier.search.training.loop import Report, Trained, measure, train
from espalier.search.training.precision import place, settle
from espalier.search.version import VERSION
from espalier.search.weights import sparsity_of

Needs = Mapping[str, Mapping[str, Path]]
EFFORTS: TypeAdapter[Efforts] = TypeAdapter(dict[str, Effort])
TEACHER = "teacher"


def evaluate(
    candidate: Candidate,
    needs: Needs,
    execution: Execution,
    paths: DataPaths,
    keep_weights: bool = True,
    checkpoint: Path | None = None,
    report: Report | None = None,
) -> Evaluated:
    """Derive, build, train and measure one candidate. Raises Diverged, SpecError or ModelError.

    `needs` has by role what was kept of the candidates in `candidate.needs`: files by the names of artifacts.
    """
    data = data_of(candidate, paths)
    return evaluate_on(data, candidate, needs, execution, paths.cache, keep_weights, checkpoint, report)


def evaluate_on(
    data: Data,
    candidate: Candidate,
    needs: Needs,
    execution: Execution,
    cache: Path,
    keep_weights: bool = True,
    checkpoint: Path | None = None,
    report: Report | None = None,
) -> Evaluated:
    """The same on images that were read already; scores that were computed before lie in `cache`."""
    settle(execution)
    whole = Network.of(dense_config(candidate.target, data))
    task = tasks.create(candidate.target.task, candidate.recipe)
    start, scoring = derive(candidate, whole, task, data, needs, cache)
    network = start.network
    before = {key: one for files in needs.values() for key, one in spent_on(_notes_of(files)).items()}
    recipe = _lengthened(candidate.recipe, whole, network)
    steps = recipe.epochs * steps_per_epoch(recipe, len(data.train))
    place(network.module, execution)  # before what stands beside its weights looks where they are
    regularizer = _regularizer(start, recipe, steps)
    taught = _taught(task, candidate, whole, needs, execution)
    trained = train(network.module, taught, data, recipe, candidate.seed, regularizer, report, execution, checkpoint)
    macs = TRAINING * network.counted.macs + (0 if taught is task else whole.cost.macs)
    own = ledger.training(trained.ran, recipe, len(data.train), macs, trained.seconds)
    efforts = {**before, candidate.key: own + scoring}
    result = Result(
        key=candidate.key,
        config=network.config,
        cost=network.cost,
        sparsity=sparsity_of(network),
        metric=task.primary,
        holdout=trained.holdout,
        test=measure(network.module, task, data, "test", execution),
        curve=trained.curve,
        early=trained.early,
        ran=_ran(trained, candidate.recipe, recipe),
        ledger=Ledger(own=own, pipeline=sum(efforts.values(), start=Effort())),
        seconds=trained.seconds,
        latency_ms=latency(network.module, network.config.shape, execution),
        made_by=MadeBy(espalier=VERSION, torch=torch.__version__, execution=execution),
    )
    kept = {MASK: network.weight_mask.file} if network.weight_mask else {}
    if keep_weights:
        what = WEIGHTS if candidate.origin.leaves == "weights" else NOTES
        state = state_of(network.module) if what == WEIGHTS else {}
        kept[what] = _file(network, state, candidate, data, result, efforts)
        kept |= {LEARNED: packed(trained.kept, {})} if trained.kept else {}
    return Evaluated(result, kept)


def _notes_of(files: Mapping[str, Path]) -> Path:
    """The file that says what a network is and what it took."""
    return files[NOTES] if NOTES in files else files[WEIGHTS]


def _regularizer(start: Start, recipe: Recipe, steps: int) -> Regularizer | None:
    """What training must respect besides the data: the method's, and the network's own mask."""
    own = start.method.regularizer(start.network, recipe, steps) if start.method else None
    mask = start.network.weight_mask
    parts = [part for part in (own, mask and Masked(mask, start.network.module)) if part]
    return parts[0] if len(parts) == 1 else Together(parts)


def spent_on(weights: Path) -> Efforts:
    """What it took to come to these weights, network by network; nothing, of an earlier release, which did not note
    it."""
    note = notes_of(weights).get("efforts")
    return EFFORTS.validate_json(note) if note else {}


def _lengthened(recipe: Recipe, whole: Network, network: Network) -> Recipe:
    """A recipe at the length that it has for a network."""
    sees = recipe
    if recipe.small_first and recipe.match == "pipeline" and not takes_small(network.module, network.config.shape):
        sees = recipe.model_copy(update={"small_first": 0.0})
    return recipe.model_copy(update={"epochs": matched(sees, whole.cost, network.counted).epochs})


def _taught(task: Task, candidate: Candidate, whole: Network, needs: Needs, execution: Execution) -> Task:
    """The task as it is learned: from a teacher, too, if the candidate has one."""
    how = candidate.recipe.distillation
    if how is None:
        return task
    return Distilled(task, place(whole.with_weights(needs[TEACHER][WEIGHTS]).module, execution), how)


def data_of(candidate: Candidate, paths: DataPaths) -> Data:
    """The candidate's images, normalised as its architecture wants them, if that says so."""
    data = known(candidate.target, candidate.data, paths)
    own = architecture(candidate.target.arch)
    suits = len(own.mean) == data.shape[0]
    return replace(data, mean=own.mean, std=own.std) if suits else data


def dense_config(target: Target, data: Data) -> ChannelConfig:
    """The target's whole network. Raises ModelError if it cannot take the data set's images."""
    return dense(target.arch, len(data.classes), data.shape, target.options)


def derive(
    candidate: Candidate, whole: Network, task: Task, data: Data, needs: Needs, cache: Path
) -> tuple[Start, Effort]:
    """The candidate's network with its starting weights, the method that its training follows, if one, and what scores
    took."""
    if missing := sorted(set(candidate.needs) - set(needs)):
        raise ValueError(f"candidate {candidate.label!r} needs the weights of its {', '.join(missing)}")

    spent, read, started, scoring_for = Effort(), 0, time.monotonic(), 0.0

    def examples(size: int) -> Iterator[Batch]:
        nonlocal read
        for batch in _examples(data, size):
            read += len(batch.inputs)
            yield batch

    @functools.cache
    def parent(role: str) -> Parent:
        files = needs.get(role, {})
        network = _trained(whole, files) if files else whole.fresh(candidate.seed)
        learned = load_file(files[LEARNED]) if LEARNED in files else {}
        return Parent(network, task, examples, learned)

    def scores(method: MethodSpec, role: str) -> Scores:
        nonlocal spent, scoring_for

        def scoring() -> Scoring:  # which counts what it reads itself
            return _scoring(method, replace(parent(role), batches=functools.partial(_examples, data)))

        is_kept, began = role != UNTRAINED, time.monotonic()
        found = remembered(cache, method, needs[role][WEIGHTS], scoring) if is_kept else scoring()
        spent, scoring_for = spent + found.effort, scoring_for + time.monotonic() - began
        return found.scores

    def config(role: str) -> ChannelConfig:
        return ChannelConfig.model_validate_json(notes_of(_notes_of(needs[role]))["config"])

    given = Derivation(whole, candidate.seed, candidate.minimum_keep, parent, scores, config)
    start = candidate.origin.derive(given)
    seconds = time.monotonic() - started - scoring_for
    macs = read * (whole.cost.macs if start.read_by is None else start.read_by)
    return start, spent + Effort(images=read, macs=macs, seconds=seconds)  # to select and to repair


def _trained(whole: Network, kept: Mapping[str, Path]) -> Network:
    """A network of the dense one's size as it was trained, with its mask, if it has one."""
    network = whole.with_weights(kept[WEIGHTS])
    return network.masked(WeightMask.read(kept[MASK])) if MASK in kept else network


def _scoring(spec: MethodSpec, parent: Parent) -> Scoring:
    """A method's scores, and what they took."""
    method, started = methods.create(spec), time.monotonic()
    images = method.made

    def counted(size: int) -> Iterator[Batch]:
        nonlocal images
        for batch in parent.batches(size):
            images += len(batch.inputs)
            yield batch

    scores = method.score(replace(parent, batches=counted))
    macs = images * method.passes * parent.network.cost.macs
    return Scoring(scores, Effort(images=images, macs=macs, seconds=time.monotonic() - started))


def _examples(data: Data, size: int) -> Iterator[Batch]:
    """Training images in an order that is drawn once: a data set may have them class by class."""
    return plain_batches(data, "train", size, Execution(), np.random.default_rng(0))


def _ran(trained: Trained, asked: Recipe, recipe: Recipe) -> Ran:
    """What was really done, with a note where training was stretched."""
    if recipe.epochs == asked.epochs:
        return trained.ran
    whose = "a pruning pipeline" if recipe.match == "pipeline" else "the dense network"
    note = f"trained for {recipe.epochs} epochs instead of {asked.epochs}, to spend what {whose} does"
    return trained.ran.model_copy(update={"notes": (*trained.ran.notes, note)})


def _file(
    network: Network, state: Mapping[str, Tensor], candidate: Candidate, data: Data, result: Result, efforts: Efforts
) -> bytes:
    """A safetensors file that says what it is, how images are prepared for it, and how good it is."""
    seen = Preprocessing(dataset=candidate.target.dataset_name, classes=data.classes, mean=data.mean, std=data.std)
    measured = result.model_dump_json(include={"metric", "holdout", "test"})
    notes = {
        "config": network.config.model_dump_json(),
        "preprocessing": seen.model_dump_json(),
        "measured": measured,
        "efforts": EFFORTS.dump_json(efforts).decode(),
    }
    return packed({name: value.contiguous().cpu() for name, value in state.items()}, notes)


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
