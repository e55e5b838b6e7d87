"""Jobs and runners without an API."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from espalier.app.caps import UNCAPPED, Caps
from espalier.app.work.runner import Runner
from espalier.search.answers.front import pareto
from espalier.search.answers.values import Pareto
from espalier.search.datasets import DataPaths
from espalier.search.results import FREE
from espalier.search.spec import JobSpec
from espalier.storage import candidates, jobs, measurements
from espalier.storage.database import Database
from espalier.storage.errors import LeaseLost
from espalier.storage.room import UNLIMITED, Room
from espalier.storage.store import LocalStore
from espalier.storage.tables import JobRow
from tests.app.fakes import FakeExecutor
from tests.search.helpers import planned, question

SPEC = JobSpec.model_validate(
    {
        "target": {"arch": "vgg11", "dataset": "digits"},
        "seeds": [0, 1],
        "baselines": ["uniform"],
        "parents": "one",
        "budgets": [{"metric": "params", "keep": 0.1}],
    }
)


def make_runner(
    database: Database,
    folder: Path,
    executor: FakeExecutor | None = None,
    caps: Caps = UNCAPPED,
    room: Room = UNLIMITED,
) -> Runner:
    """A runner that keeps everything in a folder."""
    paths = DataPaths(folder / "datasets", folder / "cache")
    return Runner(database, LocalStore(folder), executor or FakeExecutor(), paths, FREE, caps, room)


def submit(database: Database, spec: JobSpec = SPEC) -> str:
    """Queue a job; its id."""
    with database.session() as session:
        return jobs.submit(session, spec, question(spec), planned(spec)).id


def job(database: Database, job_id: str) -> JobRow:
    """The job as it stands."""
    with database.session() as session:
        return jobs.get(session, job_id)


def front_of(database: Database, job_id: str) -> Pareto:
    """What came of it."""
    with database.session() as session:
        return pareto(measurements.of_job(session, job_id), "params")


def states(database: Database, job_id: str) -> dict[str, str]:
    """The states of its candidates, by key."""
    with database.session() as session:
        return {row.key: row.state for row in candidates.rows(session, job_id)}


def held_run(database: Database, folder: Path) -> tuple[Runner, FakeExecutor, threading.Thread]:
    """A run whose uniform networks never end."""
    executor = FakeExecutor()
    executor.held = lambda c: c.origin.kind == "uniform"
    runner = make_runner(database, folder, executor)

    def run() -> None:
        with contextlib.suppress(LeaseLost):
            runner.run_one()

    thread = threading.Thread(target=run)
    thread.start()
    return runner, executor, thread


def wait_for(database: Database, job_id: str, origin: str, state: str) -> None:
    """Until some candidate of this kind is in that state."""
    for _ in range(400):
        with database.session() as session:
            if any(row.state == state for row in candidates.rows(session, job_id) if row.origin == origin):
                return
        threading.Event().wait(0.02)
    raise AssertionError(f"no {origin} became {state}")
