"""How long pages of a job take that has two thousand candidates and fifty thousand events."""

from __future__ import annotations

import gc
import gzip
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.search.events import EpochEvent
from espalier.storage import candidates, events
from tests.app.world import World

BUDGETS = [
    {"metric": metric, "keep": round(0.06 + 0.045 * place, 3)} for metric in ("params", "macs") for place in range(14)
]
LARGE = {
    "name": "large",
    "methods": [{"name": name} for name in ("slimming", "taylor", "batch_norm_scale", "snip")],
    "baselines": ["uniform", "random", "capped"],
    "budgets": BUDGETS,
    "seeds": [*range(10)],
    "parents": "per_seed",
}
EVENTS = 50_000
RUNS = 5


def run(_setting: Setting) -> Table:
    """Median seconds from request to the last byte, in this process, and what is sent."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        job, count = fill(world)
        gc.collect()
        gc.freeze()  # as `espalier serve` does
        paths = (
            "/",
            f"/jobs/{job}",
            f"/jobs/{job}?most=500",
            "/architectures?dataset=digits",
            f"/v1/jobs/{job}/pareto",
        )
        rows = [(path.replace(job, "JOB"), *_measure(world, path)) for path in paths]
    return table(
        f"Pages of a job with {count:,} candidates and {EVENTS:,} events",
        ("page", "seconds", "kB", "kB gzipped"),
        rows,
    )


def fill(world: World) -> tuple[str, int]:
    """A large job, with epochs until there are so many events; its id, and how many candidates it has."""
    job = world.finish(**LARGE)
    with world.service.database.session() as session:
        rows = candidates.rows(session, job)
        for number in range(EVENTS):
            key = rows[number % len(rows)].key
            events.record(
                session, job, EpochEvent(candidate=key, label="one", epoch=1, epochs=8, step=1, loss=1.0, accuracy=0.5)
            )
        session.commit()
        return job, len(rows)


def _measure(world: World, path: str) -> tuple[str, str, str]:
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        answer = world.client.get(path, headers={"Accept": "text/html"})
        seconds.append(time.perf_counter() - started)
        assert answer.status_code == 200, answer.text
    return (
        f"{median(seconds):.2f}",
        f"{len(answer.content) / 1000:.0f}",
        f"{len(gzip.compress(answer.content)) / 1000:.0f}",
    )
