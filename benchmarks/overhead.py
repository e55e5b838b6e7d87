"""What the service adds: a job's wall time over the training time of its candidates divided by the parallelism."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

from benchmarks.common import Setting
from espalier.app.client import Json
from espalier.app.demo import service
from espalier.app.show import Table, table
from espalier.search.cores import cores

CANDIDATES = 8
SPEC: Json = {
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
        job_id = client.submit(SPEC)["id"]
        for _ in client.events(job_id):
            pass
        job, trained = client.get(f"/v1/jobs/{job_id}"), client.pages(f"/v1/jobs/{job_id}/candidates")
    began, end = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    wall, parallel = (end - began).total_seconds(), max(1, cores() // trained[0]["made_by"]["execution"]["threads"])
    spent = sum(one["seconds"] for one in trained)
    ideal = spent / parallel
    columns = ("candidates", "s each", "at once", "ideal s", "wall s", "ratio")
    numbers = (f"{spent / len(trained):.0f}", parallel, f"{ideal:.0f}", f"{wall:.0f}", f"{wall / ideal:.3f}x")
    return table("A job's overhead", columns, [(len(trained), *numbers)])
