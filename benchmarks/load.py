"""How long a full service takes to answer: a hundred thousand stored candidates, five thousand of them of one job."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import numpy as np
import sqlalchemy as sa

from benchmarks.common import Setting, resident
from espalier.app.client.client import Client
from espalier.app.client.demo import service
from espalier.app.tables import Table, table
from espalier.models.network import dense
from espalier.storage.database import Database
from espalier.storage.tables import ArchitectureRow
from tests.app.world import World

KEEP = (0.1, 0.2, 0.3, 0.4, 0.6)


def _budgets(*more: float) -> list[dict[str, Any]]:
    return [{"metric": one, "keep": keep + also} for one in ("params", "macs") for keep in KEEP for also in more]


SMALL: Mapping[str, Any] = {
    "name": "small",
    "methods": [{"name": "slimming"}],
    "baselines": ["uniform", "random", "capped"],
    "budgets": _budgets(0),
    "seeds": [0, 1, 2, 3, 4],
}
LARGE: Mapping[str, Any] = {
    "name": "large",
    "methods": [{"name": name} for name in ("slimming", "taylor", "batch_norm_scale", "snip")],
    "baselines": ["uniform", "random", "capped"],
    "budgets": _budgets(0, 0.03, 0.06),
    "seeds": [*range(23)],
    "parents": "per_seed",
}
SIZES = (1_000, 100_000)
RUNS = 60


class Stored(NamedTuple):
    """What a service was filled with."""

    candidates: int
    small: str
    large: str | None
    """Ids of a job of each kind."""
    architecture: str


def run(_setting: Setting) -> Table:
    """Milliseconds from one client's request to the last byte, of a service in a process of its own."""
    columns: dict[str, dict[int, str]] = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="espalier-bench-") as folder:
            stored = fill(Path(folder) / "data", size)
            with service(Path(folder)) as client:
                for name, path in _paths(stored):
                    columns.setdefault(name, {})[size] = _measure(client, path)
                columns.setdefault("memory of the API, MiB", {})[size] = f"{resident(client):.0f}"
    rows = [(name, *(found.get(size, "") for size in SIZES)) for name, found in columns.items()]
    heads = [f"{size:,} candidates: first, median, p99" for size in SIZES]
    return table("Milliseconds to answer", ("request", *heads), rows)


def _paths(stored: Stored) -> Iterator[tuple[str, str]]:
    jobs = {"small": stored.small} | ({"large": stored.large} if stored.large else {})
    yield from ((path, path) for path in ("/healthz", "/readyz", "/metrics", "/", "/v1/jobs", "/v1/jobs?limit=200"))
    for kind, job in jobs.items():
        for path in ("", "/candidates", "/events", "/pareto?cost=params", "/pareto?cost=macs", "/verdict", "/pattern"):
            yield f"/v1/jobs/{kind.upper()}{path}", f"/v1/jobs/{job}{path}"
        yield f"/jobs/{kind.upper()} (the page)", f"/jobs/{job}"
    for question in (
        "", "?sort=params", "?sort=macs", "?sort=latency", "?dataset=digits", "?method=slimming", "?origin=uniform",
        "?arch=vgg11", "?max_params=100000", "?min_accuracy=0.9", "?min_accuracy=1",
    ):  # fmt: skip
        yield f"/v1/architectures{question}", f"/v1/architectures{question}"
    yield "/v1/architectures/ID", f"/v1/architectures/{stored.architecture}"
    yield "/v1/architectures/ID/export", f"/v1/architectures/{stored.architecture}/export"


def _measure(client: Client, path: str) -> str:
    taken = []
    with httpx2.Client(base_url=client.url, headers={"Authorization": f"Bearer {client.token}"}, timeout=120) as asking:
        for _ in range(RUNS):
            started = time.perf_counter()
            answer = asking.get(path, headers={"Accept": "text/html" if "/v1" not in path else "application/json"})
            taken.append(1000 * (time.perf_counter() - started))
            assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:200]}"
    return f"{taken[0]:.0f}, {np.median(taken):.1f}, {np.quantile(taken[1:], 0.99):.1f}"


def fill(folder: Path, size: int) -> Stored:
    """A database of so many candidates: jobs with the results of a fake training, one of them large if there is room,
    and copies of the small one, each with architectures of its own."""
    world = World(folder)
    small = world.finish(**SMALL)
    large = world.finish(**LARGE) if size > 10_000 else None
    with world.service.database.session() as session:
        count = sa.text("SELECT count(*) FROM candidates WHERE job_id = :job")
        own, whole = (session.scalar(count, {"job": job}) or 0 for job in (small, large))
        copies = (size - whole) // own
        for number in range(1, copies):
            for statement in COPY:
                session.execute(
                    sa.text(statement), {"of": small, "to": f"{number:08x}{small[8:]}", "p": f"{number:08x}"}
                )
        copied = sa.text("SELECT architecture FROM candidates WHERE origin = 'uniform' AND job_id LIKE '00000001%'")
        architecture = session.scalars(copied).first()
        real = dense("vgg11", 10, (1, 32, 32), {}).model_dump(mode="json")  # fake trainings have none that can be built
        session.execute(sa.update(ArchitectureRow).where(ArchitectureRow.id == architecture).values(config=real))
        found = session.scalar(sa.text("SELECT count(*) FROM candidates")) or 0
    world.service.close()
    analysed = Database(world.settings.url)
    with analysed.engine.connect() as connection:
        connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
    analysed.close()
    return Stored(found, small, large, str(architecture))


def _copy(table_name: str, columns: str, values: Mapping[str, str], where: str = "job_id = :of") -> str:
    chosen = ", ".join(values.get(name, name) for name in columns.split())
    return f"INSERT INTO {table_name} ({', '.join(columns.split())}) SELECT {chosen} FROM {table_name} WHERE {where}"


_KEY, _ARCHITECTURE = ":p || substr(key, 9)", ":p || substr(architecture, 9)"
COPY = (
    _copy(
        "jobs",
        "id name state spec question total request_hash created_at started_at finished_at attempts cancel_requested "
        "error execution latencies submitted_by",
        {"id": ":to"},
        "id = :of",
    ),
    _copy(
        "architectures",
        "id arch config params macs",
        {"id": ":p || substr(id, 9)"},
        "id IN (SELECT architecture FROM candidates WHERE job_id = :of)",
    ),
    _copy(
        "candidates",
        "job_id key position candidate dataset arm arm_name role origin method budget_metric budget_keep seed init "
        "conditions state architecture params macs holdout accuracy seconds latency_ms error result",
        {"job_id": ":to", "key": _KEY, "architecture": _ARCHITECTURE},
    ),
    _copy(
        "measurements",
        "job_id key position arm role seed needs goodness brief",
        {"job_id": ":to", "key": _KEY},
    ),
    _copy(
        "findings",
        "architecture arm arch dataset arm_name role origin method init conditions params macs latency_ms mean square "
        "n job_id",
        {"job_id": ":to", "architecture": _ARCHITECTURE, "mean": "mean + (random() % 1000) / 100000.0"},
    ),
    _copy("job_events", "job_id at kind data", {"job_id": ":to"}),
)
"""In SQL, since a hundred thousand fake trainings would take an hour."""
