"""How often intervals of efficiency factors and hypervolumes cover the truth: curves are drawn, and read as real ones
are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Setting
from benchmarks.verdicts import JOBS, SPREAD, trainings
from espalier.app.tables import Table, table
from espalier.search.answers.efficiency import Cell, factor
from espalier.search.answers.hypervolume import Hypervolume, Step, hypervolume

FACTOR = 2.0
"""How many times cheaper one curve is than the other at every accuracy."""


class Case(NamedTuple):
    """What two curves are like that meet the same budgets, from a tenth to a half."""

    seeds: int = 3
    budgets: int = 3
    bent: bool = False
    """Whether accuracy saturates with log cost, or grows with it."""
    ratio: float = 1.0
    """Spread of the cheaper curve's trainings, as a multiple of the other's."""
    costs: float = 0.0
    """Spread of the cheaper curve's log costs: widths that are found at equal MACs differ in params."""
    parents: float = 0.0
    """Spread between parents, which all budgets of a seed share, as a multiple of that between trainings."""
    images: int = 10_000
    """Of the test data: accuracies are whole images."""
    skewed: bool = False
    """Whether trainings end a little above their mean, and now and then far below it."""
    lost: int = 0
    """Of the cheaper curve's seeds, those that failed at its least budget."""


CASES = (
    *(Case(seeds=seeds) for seeds in (2, 3, 5, 10)),
    Case(budgets=6),
    Case(bent=True),
    Case(budgets=6, bent=True),
    Case(ratio=4.0),
    Case(costs=0.1),
    *(Case(seeds=seeds, budgets=budgets, parents=1.0) for seeds in (3, 10) for budgets in (3, 6)),
    Case(images=500),
    *(Case(seeds=seeds, skewed=True) for seeds in (3, 10)),
    Case(seeds=5, lost=2),
)


def run(_setting: Setting) -> Table:
    """Every case, over many drawn pairs of curves."""
    columns = (
        "seeds", "budgets", "curves", "spread", "of log costs", "of parents", "images", "trainings", "lost",
        "factor covered",
        "its interval", "hypervolume covered",
    )  # fmt: skip
    title = (
        f"{JOBS:,} drawn pairs of curves, one {FACTOR:g} times cheaper: intervals that cover the truth, per cent, and "
        "the median one"
    )
    return table(title, columns, [_row(case) for case in CASES])


def _row(case: Case) -> tuple[object, ...]:
    generator = np.random.default_rng(0)
    costs = np.log(np.geomspace(0.1, 0.5, case.budgets))
    intervals, volumes = [], []
    for _ in range(JOBS):
        ours = _cells(case, costs, math.log(FACTOR), case.ratio, generator)
        found = factor(ours, _cells(case, costs, 0.0, 1.0, generator), [])
        if found is not None and found.interval is not None:
            intervals.append(found.interval)
        volume = _volume(costs, ours)
        if volume is not None and volume.interval is not None:
            volumes.append(volume.interval)
    low, high = np.median(intervals, axis=0)
    shares = (_covered(intervals, FACTOR), f"{low:.2f} to {high:.2f}", _covered(volumes, _area(case, costs)))
    return (
        case.seeds, case.budgets, "bent" if case.bent else "straight", f"{case.ratio:g}x", f"{case.costs:g}",
        f"{case.parents:g}x", f"{case.images:,}", "skewed" if case.skewed else "normal", case.lost or "-", *shares,
    )  # fmt: skip


def _volume(costs: NDArray[np.float64], cells: Sequence[Cell]) -> Hypervolume | None:
    """From the least budget to the whole network."""
    steps = [_step(math.exp(cost), cell) for cost, cell in zip(costs, cells, strict=True)]
    return hypervolume(steps, steps[0].cost, 1.0)


def _step(cost: float, cell: Cell) -> Step:
    values = {seed: accuracy for seed, (_, accuracy) in cell.items()}
    return Step(cost, fmean(values.values()), values)


def _covered(intervals: list[tuple[float, float]], truth: float) -> str:
    return f"{100 * float(np.mean([low <= truth <= high for low, high in intervals])):.1f}"


def _accuracy(costs: NDArray[np.float64], gain: float, bent: bool) -> NDArray[np.float64]:
    """Of networks that are as good as others of `gain` more log cost."""
    x = costs + gain
    return 0.9 - 0.1 * np.exp(-0.7 * (x + 2.3)) if bent else 0.9 + 0.04 * x


def _cells(
    case: Case, costs: NDArray[np.float64], gain: float, ratio: float, generator: np.random.Generator
) -> list[Cell]:
    """What the seeds of one curve show at every budget. Those of the cheaper curve have a parent each."""
    shared = generator.normal(0, case.parents * SPREAD if gain else 0.0, case.seeds)
    cells: list[Cell] = []
    for cost in costs:
        own = cost + generator.normal(0, case.costs if gain else 0.0, case.seeds)
        seen = _accuracy(own, gain, case.bent) + shared + ratio * trainings(generator, (case.seeds,), case.skewed)
        found = np.round(seen * case.images) / case.images
        cells.append(dict(enumerate(zip(own.tolist(), found.tolist(), strict=True))))
    lost = case.lost if gain else 0
    return [{seed: seen for seed, seen in cells[0].items() if seed >= lost}, *cells[1:]]


def _area(case: Case, costs: NDArray[np.float64]) -> float:
    """The hypervolume of the means."""
    accuracies = _accuracy(costs, math.log(FACTOR), case.bent)
    found = _volume(costs, [{0: place} for place in zip(costs.tolist(), accuracies.tolist(), strict=True)])
    assert found is not None
    return found.value
