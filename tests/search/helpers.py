"""Outcomes without training."""

from __future__ import annotations

from typing import Any

from espalier.models.config import ChannelConfig, Cost
from espalier.search.types import (
    Budget,
    Candidate,
    Dense,
    Execution,
    MadeBy,
    MethodSpec,
    Pruned,
    Random,
    Recipe,
    Result,
    Target,
    Uniform,
)

RECIPE = Recipe(epochs=1, batch_size=8, lr=0.1)
TARGET = Target(arch="vgg11", dataset="digits")
SLIMMING = MethodSpec(name="slimming")


def candidate(
    kind: str, keep: float = 0.5, metric: Any = "params", seed: int = 0, method: str | None = None, **changes: Any
) -> Candidate:
    """A candidate of any origin."""
    budget = Budget(metric=metric, keep=keep)
    spec = MethodSpec(name=method) if method else None
    origin: Any = {
        "dense": lambda: Dense(method=spec),
        "pruned": lambda: Pruned(method=spec or SLIMMING, budget=budget),
        "uniform": lambda: Uniform(budget=budget),
        "random": lambda: Random(budget=budget, draw=seed),
    }[kind]()
    return Candidate(origin=origin, target=TARGET, recipe=RECIPE, data="d", seed=seed, floor=0.1, **changes)


def result(of: Candidate, accuracy: float = 0.5, params: int = 100, macs: int | None = None, **changes: Any) -> Result:
    """What training it would have shown."""
    values: dict[str, Any] = {
        "key": of.key,
        "config": ChannelConfig.of_classifier("vgg11", {}, 10, (1, 32, 32), {of.origin.kind: params}),
        "cost": Cost(params, macs or 10 * params),
        "holdout": accuracy,
        "accuracy": accuracy,
        "curve": (),
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
