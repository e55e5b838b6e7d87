"""Outcomes without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from espalier.models.config import ChannelConfig, Cost
from espalier.search.answers.summary import sentences
from espalier.search.answers.values import Verdict
from espalier.search.arms import ARMS
from espalier.search.candidates import Candidate
from espalier.search.planners import create
from espalier.search.question import Place, Question
from espalier.search.recipe import Recipe
from espalier.search.results import Evaluated, Execution, MadeBy, Ran, Result
from espalier.search.spec import Budget, JobSpec, MethodSpec, Target

RECIPE = Recipe(epochs=1, batch_size=8, lr=0.1)
TARGET = Target(arch="vgg11", dataset="digits")
SLIMMING = MethodSpec(name="slimming")


def candidate(
    kind: str,
    keep: float = 0.5,
    metric: Any = "params",
    seed: int = 0,
    method: str | None = None,
    init: str = "scratch",
    ranking: str = "reverse",
    target: Target = TARGET,
    **changes: Any,
) -> Candidate:
    """A candidate of any arm."""
    fields: dict[str, Any] = {
        "budget": Budget(metric=metric, keep=keep),
        "method": MethodSpec(name=method) if method else SLIMMING,
        "init": init,
        "ranking": ranking,
        "draw": 1,
        "pattern": "another network",
        "keep": (0.9, 0.5, 0.3),
        "kernels": (((0.1, 0.2, 0.1), (0.2, 0.9, 0.2), (0.1, 0.2, 0.1)),),
    }
    origin = ARMS[kind](**{name: value for name, value in fields.items() if name in ARMS[kind].model_fields})
    return Candidate(origin=origin, target=target, recipe=RECIPE, data="d", seed=seed, minimum_keep=0.1, **changes)


def result(of: Candidate, accuracy: float = 0.5, params: int = 100, macs: int | None = None, **changes: Any) -> Result:
    """What training it would have shown."""
    values: dict[str, Any] = {
        "key": of.key,
        "config": ChannelConfig.of_classifier("vgg11", {}, 10, (1, 32, 32), {of.origin.kind: params}),
        "cost": Cost(params, macs or 10 * params),
        "holdout": {"accuracy": accuracy},
        "test": {"accuracy": accuracy},
        "curve": (),
        "ran": Ran(epochs=1, steps=1, small_epochs=0),
        "seconds": 1.0,
        "latency_ms": 1.0,
        "made_by": MadeBy(espalier="0", torch="0", execution=Execution()),
    }
    return Result(**(values | changes))


def outcome(
    kind: str, accuracy: float = 0.5, params: int = 100, macs: int | None = None, **changes: Any
) -> tuple[Candidate, Result]:
    """Both."""
    one = candidate(kind, **changes)
    return one, result(one, accuracy, params, macs)


def summary(verdicts: Sequence[Verdict]) -> str:
    """What verdicts say, in one text."""
    return " ".join(sentences(verdicts))


def question(spec: JobSpec, data: str = "d") -> Question:
    """What a spec asks, with the recipe of its data set; of a network of the one group that results of `pruned` have."""
    from espalier.search.datasets import recipe_of

    return Question(spec=spec, recipe=recipe_of(spec), data=data, groups=(Place("pruned", 1000, 0),))


def planned(spec: JobSpec, data: str = "d") -> list[Candidate]:
    """The candidates that a spec's planner asks for first."""
    return list(create(question(spec, data)).next({}))


def most(spec: JobSpec) -> int:
    """How many its planner may ask for."""
    return len(planned(spec.model_copy(update={"seeds": spec.all_seeds})))


def written(found: Evaluated, folder: Path) -> dict[str, Path]:
    """What was kept of a candidate as files, for those that need it."""
    folder.mkdir(exist_ok=True)
    for name, content in found.artifacts.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in found.artifacts}


def derivation(config: ChannelConfig, seed: int = 0, minimum_keep: float = 0.1) -> Any:
    """What an arm derives a network from; every parent is one network whose every scale is another number.
    Nothing was drawn yet."""
    import torch

    from espalier.models.network import Network
    from espalier.search import methods, tasks
    from espalier.search.derivation import Derivation
    from espalier.search.methods.base import Parent

    whole = Network.of(config)
    task = tasks.create("classification", RECIPE)

    def parent(role: str) -> Parent:
        network, generator = (
            whole.fresh(seed if role in ("start", "untrained") else 99),
            torch.Generator().manual_seed(1),
        )
        for name in network.coupling.with_role("scale"):
            network.module.get_parameter(name).data.uniform_(0.1, 1, generator=generator)

        def batches(size: int) -> Any:
            with torch.random.fork_rng():
                torch.manual_seed(2)
                return iter([task.sample(config, size)])

        return Parent(network, task, batches)

    def scores(method: MethodSpec, role: str) -> Any:
        return methods.create(method).score(parent(role))

    known: dict[str, ChannelConfig] = {}
    return Derivation(whole, seed, minimum_keep, parent, scores, known.__getitem__)


def write_images(
    root: Path, part: str, names: tuple[str, ...] = ("cat", "dog"), count: int = 12, size: int = 8
) -> None:
    """Noise, brighter for each class than for the one before."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    for index, name in enumerate(names):
        (root / part / name).mkdir(parents=True)
        for i in range(count):
            pixels = generator.integers(0, 256, (size, size, 3), dtype=np.uint8) // 2 + 100 * index
            Image.fromarray(pixels.astype(np.uint8)).save(root / part / name / f"{i}.png")
