"""Optuna's samplers, asked for shares of channels: numbers in, numbers out. No torch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import optuna
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState

SamplerName = Literal["tpe", "nsga2", "nsga3", "random"]
SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)


class Sampling:
    """One search: less cost and more accuracy, below the most that a budget allows. The same seed and the same answers
    give the same proposals."""

    def __init__(
        self, name: SamplerName, seed: int, trials: int, low: Mapping[str, float], most: Mapping[str, float]
    ) -> None:
        """`low`: name of a number -> the least that it may be; the most is 1. `most`: kind of cost -> what is feasible
        of it; the first of them is what is to be small."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            directions=["minimize", "maximize"], sampler=_sampler(name, seed, max(4, trials // 4))
        )
        self._space = {key: FloatDistribution(least, 1.0) for key, least in low.items()}
        self._most = dict(most)

    def ask(self, known: Mapping[str, float] | None = None) -> Trial:
        """A proposal; or what is known from elsewhere, for the sampler to learn from."""
        if known is not None:
            space = self._space
            inside = {name: min(max(value, space[name].low), 1.0) for name, value in known.items()}
            self._study.enqueue_trial(inside)
        return self._study.ask({**self._space})

    def tell(self, trial: Trial, costs: Mapping[str, float], accuracy: float) -> None:
        """What came of it: shares of the dense network's costs, and how good it is."""
        for kind, most in self._most.items():
            trial.set_constraint(kind, costs[kind] - most)  # at most 0 is feasible
        self._study.tell(trial, [costs[next(iter(self._most))], accuracy])

    def fail(self, trial: Trial) -> None:
        """Nothing came of it."""
        self._study.tell(trial, state=TrialState.FAIL)


def _sampler(name: SamplerName, seed: int, population: int) -> BaseSampler:
    if name == "tpe":
        return TPESampler(seed=seed)
    if name == "random":
        return RandomSampler(seed=seed)
    kind: Any = NSGAIISampler if name == "nsga2" else NSGAIIISampler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler: BaseSampler = kind(seed=seed, population_size=population)
    return sampler


def shares_of(widths: Mapping[str, int], stages: Sequence[Sequence[tuple[str, int]]]) -> tuple[float, ...]:
    """What widths keep of each stage, which are (group, width of the dense network)."""
    return tuple(sum(widths[name] for name, _ in stage) / sum(width for _, width in stage) for stage in stages)
