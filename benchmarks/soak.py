"""Days of use in little time: `python -m benchmarks.soak --candidates 3000`. Thousands of tiny trainings, one job after
the other, looked at by a client that asks for everything; memory and file handles must be flat once all is warm."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import psutil
import typer
from rich.console import Console

from espalier.app.client.client import Client
from espalier.app.client.demo import service
from espalier.app.tables import table
from espalier.search.states import FINISHED

EACH = 20
"""Candidates of a job: for each of four seeds a dense one, a parent, its widths, and two baselines."""
EVERY = 15.0
"""Seconds between two looks."""
MOST_GROWTH, MOST_HANDLES = 0.1, 20
"""That still count as flat."""
QUARTERS = 4


class Look(NamedTuple):
    """What the processes of a service have."""

    done: int
    service: float
    """MiB of the process that is API and runner."""
    handles: int
    """That it has open."""
    others: float
    """MiB of the processes that it started."""
    processes: int


def spec(number: int) -> dict[str, Any]:
    """A tiny job, unlike all others."""
    return {
        "name": f"soak {number}",
        "target": {"arch": "vgg11", "options": {"width": 0.1}, "dataset": "digits"},
        "budgets": [{"metric": "params", "keep": 0.3}],
        "seeds": [4 * number + one for one in range(4)],
        "recipe": {"epochs": 1, "batch_size": 128},
    }


def main(candidates: Annotated[int, typer.Option(help="to train in all", min=10 * EACH)] = 3000) -> None:
    """One row for every quarter; it ends with 1 if the last is not as the second."""
    looks, started = list[Look](), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="espalier-soak-") as folder, service(Path(folder)) as client:
        process = psutil.Process().children()[0]
        jobs, next_look = list[str](), 0.0
        while (done := _done(client, jobs)) < candidates:
            if sum(client.job(job).state not in FINISHED for job in jobs[-3:]) < 2:
                jobs.append(client.submit(spec(len(jobs))).id)
            if time.monotonic() >= next_look:
                looks.append(_look(process, done))
                next_look = time.monotonic() + EVERY
            _ask(client, jobs[0])
        ended = [client.job(job) for job in jobs[:-2]]
        assert {job.progress.total for job in ended} == {EACH}
        states = {str(job.state) for job in ended}
    rows = [_row(quarter) for quarter in np.array_split(np.array(looks), QUARTERS)]
    minutes = (time.monotonic() - started) / 60
    columns = ("candidates", "service MiB", "its file handles", "other processes MiB", "other processes")
    console = Console(width=120)
    console.print(table(f"{candidates:,} trainings in {minutes:.0f} minutes", columns, rows))
    console.print(f"jobs ended: {', '.join(sorted(states))}", highlight=False)
    raise typer.Exit(int(states != {"succeeded"} or not _is_flat(looks)))


def _done(client: Client, jobs: Sequence[str]) -> int:
    """Candidates that were trained; all but the last jobs have ended."""
    return EACH * len(jobs[:-3]) + sum(client.job(job).progress.done for job in jobs[-3:])


def _look(process: psutil.Process, done: int) -> Look:
    sizes = []
    for one in process.children(recursive=True):
        try:
            sizes.append(one.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    own = process.memory_info().rss
    return Look(done, own / 2**20, process.num_fds(), sum(sizes) / 2**20, len(sizes))


def _ask(client: Client, job: str) -> None:
    """What people look at, every now and then."""
    client.jobs(20)
    client.job(job)
    if client.job(job).progress.done:
        client.pareto(job)
        client.verdict(job)
    time.sleep(0.5)


def _row(looks: Any) -> tuple[str, ...]:
    means = map(float, looks.mean(axis=0)[1:])
    return (f"{looks[-1][0]:.0f}", *(f"{mean:.0f}" for mean in means))


def _is_flat(looks: Sequence[Look]) -> bool:
    """Whether the last quarter has no more than the second, when all was warm."""
    quarters = [quarter.mean(axis=0) for quarter in np.array_split(np.array(looks), QUARTERS)]
    warm, last = quarters[1], quarters[-1]
    grown = any(last[place] > warm[place] * (1 + MOST_GROWTH) for place in (1, 3))
    return bool(not grown and last[2] <= warm[2] + MOST_HANDLES)


if __name__ == "__main__":
    typer.run(main)
