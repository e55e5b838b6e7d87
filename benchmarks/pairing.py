"""What a seed adds to arms that are compared: `python -m benchmarks.pairing JOB…` for jobs stored here.

Arms share seeds and the order of their data. To pair comparisons by seed would pay if what a seed adds were alike in
both.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from espalier.app.settings import load as load_settings
from espalier.app.tables import table
from espalier.search.answers.values import Group, are_compared, by_arm, with_role
from espalier.storage.database import Database
from espalier.storage.measurements import of_job


def main(jobs: Annotated[list[str], typer.Argument(help="ids of jobs with several seeds")]) -> None:
    """Correlations over seeds, around the mean of each arm; arms from scratch alone."""
    database = Database(load_settings().url)
    rows = []
    for job in jobs:
        with database.session() as session:
            groups = [group for group in by_arm(of_job(session, job)) if group.candidate.init == "scratch"]
        arms = [group for group in groups if group.arm.role != "reference"]
        pairs = {"compared": _compared(arms), "all": list(itertools.combinations(arms, 2))}
        rows += [(job, which, len(found), f"{_correlation(found):.2f}") for which, found in pairs.items()]
    database.close()
    Console(width=120).print(table("What a seed adds to two arms", ("job", "pairs", "n", "correlation"), rows))


def _compared(arms: Sequence[Group]) -> list[tuple[Group, Group]]:
    """Methods and baselines of one budget, trained in the same way."""
    sides = (itertools.chain(*with_role(arms, role).values()) for role in ("automatic", "baseline"))
    return [(a, b) for a, b in itertools.product(*sides) if a.budget == b.budget and are_compared(a, b)]


def _correlation(pairs: Iterable[tuple[Group, Group]]) -> float:
    """Of all pairs together, each arm less its own mean, over the seeds that both have."""
    sides = [_added(*pair) for pair in pairs]
    together = sum(float(ours @ theirs) for ours, theirs in sides)
    return together / sum(float(np.linalg.norm(ours) * np.linalg.norm(theirs)) for ours, theirs in sides)


def _added(*pair: Group) -> list[NDArray[np.float64]]:
    known = [{candidate.seed: result.reported for candidate, result in group.outcomes} for group in pair]
    seeds = sorted(known[0].keys() & known[1].keys())
    values = [np.array([one[seed] for seed in seeds]) for one in known]
    return [one - one.mean() for one in values]


if __name__ == "__main__":
    typer.run(main)
