"""How often verdicts are wrong: jobs are drawn in which nothing differs, and judged as real ones are."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.search.answers.statistics import Comparison, Decision, decided

JOBS = 2000
SPREAD = 0.003
"""Standard deviation between trainings: 0.3 points, as on CIFAR-10 in docs/results/vgg16-half.md."""


class Case(NamedTuple):
    """What the jobs are like. All arms have the same mean; `effect` is added to those of methods."""

    seeds: int = 3
    budgets: int = 3
    methods: int = 1
    baselines: int = 2
    parents: str = "per_seed"
    between: float = 1.0
    """Spread between parents, as a multiple of that between trainings."""
    ratio: float = 1.0
    """Spread of the methods' trainings, as a multiple of the baselines'."""
    images: int = 10_000
    """Of the test data: accuracies are whole images."""
    effect: float = 0.0
    skewed: bool = False
    """Whether trainings end a little above their mean, and now and then far below it."""
    lost: int = 0
    """Of the methods' seeds, those that failed."""
    looks: tuple[int, ...] = ()
    """Seeds at which a job looks whether it is decided, and stops."""


CASES = (
    *(Case(seeds=seeds) for seeds in (2, 3, 5, 10)),
    *(Case(budgets=budgets, methods=methods) for budgets, methods in ((1, 1), (6, 1), (3, 2), (3, 3), (6, 3))),
    Case(seeds=10, budgets=6, methods=3),
    Case(ratio=4.0),
    *(Case(seeds=seeds, ratio=0.0, between=0.0) for seeds in (3, 10)),
    Case(images=500),
    *(Case(seeds=seeds, skewed=True) for seeds in (3, 5, 10)),
    Case(skewed=True, ratio=4.0),
    *(Case(seeds=5, lost=lost) for lost in (2, 3)),
    Case(seeds=5, lost=3, ratio=4.0),
    Case(parents="one"),
    Case(parents="one", seeds=10),
    *(Case(parents=parents, seeds=seeds, between=2.0) for parents in ("per_seed", "one") for seeds in (3, 10)),
    *(Case(seeds=seeds, effect=effect) for seeds in (3, 5) for effect in (0.01, 0.02)),
    *(Case(seeds=12, looks=(3, 6, 12), methods=methods) for methods in (1, 3)),
    *(Case(seeds=12, looks=(3, 6, 12), effect=effect) for effect in (0.0025, 0.005, 0.01)),
    *(Case(seeds=12, effect=effect) for effect in (0.0025, 0.005)),
)


def run(_setting: Setting) -> Table:
    """Every case, over many drawn jobs."""
    columns = (
        "seeds", "looks", "budgets", "methods", "parents", "their spread", "spread", "trainings", "lost", "images",
        "true effect", "one answer", "some answer alone", "some answer together", "covered",
    )  # fmt: skip
    title = (
        f"{JOBS:,} drawn jobs, per cent: answers that are decided; jobs with one that is, each alone and together "
        "(Holm); intervals that cover the truth"
    )
    return table(title, columns, [_row(case) for case in CASES])


def _row(case: Case) -> tuple[object, ...]:
    generator = np.random.default_rng(0)
    found = [_judged(case, generator) for _ in range(JOBS)]
    alone = [[one.answer != "undecided" for one in job] for job in found]
    together = [[one.adjusted_answer != "undecided" for one in job] for job in found]
    intervals = [one.interval for job in found for one in job if one.interval]
    covered = np.mean([low <= case.effect <= high for low, high in intervals])
    shares = (np.mean(alone), np.mean([any(job) for job in alone]), np.mean([any(job) for job in together]), covered)
    return (
        case.seeds, " ".join(map(str, case.looks)) or "-", case.budgets, case.methods, case.parents,
        f"{case.between:g}x", f"{case.ratio:g}x", "skewed" if case.skewed else "normal", case.lost or "-",
        f"{case.images:,}", f"{100 * case.effect:g} points",
        *(f"{100 * float(share):.1f}" for share in shares),
    )  # fmt: skip


def _judged(case: Case, generator: np.random.Generator) -> list[Decision]:
    """The comparisons of one drawn job: every method with every baseline, at every budget."""
    parents = generator.normal(0, case.between * SPREAD, (case.methods, case.budgets, case.seeds))
    if case.parents == "one":
        parents[:] = parents[..., :1]
    shape = (case.methods, case.budgets, case.seeds)
    ours = _seen(case.effect + parents + case.ratio * trainings(generator, shape, case.skewed), case)
    ours = ours[..., : case.seeds - case.lost]
    theirs = _seen(trainings(generator, (case.baselines, case.budgets, case.seeds), case.skewed), case)
    pairs = itertools.product(range(case.methods), range(case.baselines), range(case.budgets))
    sides = [Comparison(ours[m, budget].tolist(), theirs[b, budget].tolist(), 1) for m, b, budget in pairs]
    return decided(sides, case.looks)


def trainings(generator: np.random.Generator, shape: tuple[int, ...], skewed: bool) -> NDArray[np.float64]:
    """How far trainings end from their mean; an exponential's mirror image where they are skewed (skewness -2)."""
    return SPREAD * (1 - generator.exponential(1, shape) if skewed else generator.normal(0, 1, shape))


def _seen(values: NDArray[np.float64], case: Case) -> NDArray[np.float64]:
    """Accuracies around 0.8, in whole images."""
    return np.round((0.8 + values) * case.images) / case.images
