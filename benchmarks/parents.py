"""How far networks that one method cut from several parents differ, beside how far trainings of one of them do:
`python -m benchmarks.parents JOB…` for jobs stored here, each with one parent for all of its seeds."""

from __future__ import annotations

import math
from contextlib import closing
from statistics import fmean, variance
from typing import Annotated

import typer
from rich.console import Console

from espalier.app.settings import load as load_settings
from espalier.app.tables import Table, table
from espalier.search.answers.values import by_arm
from espalier.storage.database import Database
from espalier.storage.measurements import of_job


def main(jobs: Annotated[list[str], typer.Argument(help="their ids")]) -> None:
    """By arm, over all of the jobs."""
    found: dict[str, list[list[float]]] = {}
    with closing(Database(load_settings().url)) as database, database.session() as session:
        for job in jobs:
            for group in by_arm(of_job(session, job)):
                if group.arm.role == "automatic":
                    found.setdefault(group.arm.label, []).append([result.reported for result in group.results])
    Console(width=120).print(compared(found))


def compared(arms: dict[str, list[list[float]]]) -> Table:
    """Analysis of variance with one random effect: parents, and trainings within them, as often each."""
    found = []
    for arm, parents in arms.items():
        (count,) = {len(values) for values in parents}
        within = fmean(variance(values) for values in parents)
        between = variance([fmean(values) for values in parents]) - within / count
        found.append((
            arm, len(parents), count, " ".join(f"{100 * fmean(values):.2f}" for values in parents),
            f"{100 * math.sqrt(within):.2f}", f"{100 * math.sqrt(max(0.0, between)):.2f}",
        ))  # fmt: skip
    columns = ("arm", "parents", "trainings of each", "means, %", "between trainings", "between parents")
    return table("Standard deviations of test accuracy, points", columns, found)


if __name__ == "__main__":
    typer.run(main)
