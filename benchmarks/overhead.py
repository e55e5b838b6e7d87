"""What the service adds: a job's wall time over the training time of its candidates divided by the parallelism."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import Setting
from espalier.app.client.demo import service
from espalier.app.tables import Table, table
from espalier.search.machine import cores

CANDIDATES = 8
SPEC: dict[str, Any] = {
    "name": "overhead",
    "target": {"arch": "vgg11", "options": {"width": 0.25}, "dataset": "digits"},
    "methods": [],
    "budgets": [],
    "baselines": [],
    "seeds": list(range(CANDIDATES)),
    "recipe": {"epochs": 150},
}
"""Equal networks, so that no core waits for another at the end; long enough for a minute each."""


def run(_setting: Setting) -> Table:
    """One job over HTTP, in a service of its own with an empty data directory."""
    with tempfile.TemporaryDirectory(prefix="espalier-bench-") as folder, service(Path(folder)) as client:
        job = client.submit(SPEC)
        for _ in client.events(job.id):
            pass
        job, trained = client.job(job.id), client.candidates(job.id)
    assert job.started_at and job.finished_at and trained[0].made_by
    wall, threads = (job.finished_at - job.started_at).total_seconds(), trained[0].made_by.execution.threads
    parallel = max(1, cores() // threads)
    spent = sum(one.seconds or 0.0 for one in trained)
    ideal = spent / parallel
    columns = ("candidates", "s each", "at once", "ideal s", "wall s", "ratio")
    numbers = (f"{spent / len(trained):.0f}", parallel, f"{ideal:.0f}", f"{wall:.0f}", f"{wall / ideal:.3f}x")
    return table("A job's overhead", columns, [(len(trained), *numbers)])
