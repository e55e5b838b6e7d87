"""Ray on a real cluster of several nodes on this machine: where tasks run, and what happens when a node dies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import psutil
import pytest

from espalier.app.work.executors.base import ExecutorUnusable, Task, WorkerLost
from espalier.app.work.executors.ray import RayExecutor
from espalier.app.work.runner import Runner
from espalier.search.answers.front import pareto
from espalier.search.datasets import DataPaths
from espalier.search.events import CandidateStarted, EpochEvent
from espalier.search.spec import JobSpec
from espalier.search.validate import validate
from espalier.storage import events, jobs, measurements
from espalier.storage.database import Database
from espalier.storage.store import store_at
from tests.app.work.executors import work

pytestmark = [pytest.mark.alone, pytest.mark.filterwarnings("ignore::ResourceWarning")]

SPEC = JobSpec.model_validate(
    {
        "target": {"arch": "vgg11", "options": {"width": 0.125}, "dataset": "digits"},
        "methods": [{"name": "slimming"}],
        "budgets": [{"metric": "params", "keep": 0.3}],
        "baselines": ["uniform"],
        "seeds": [0],
        "recipe": {"epochs": 6},
    }
)


@pytest.fixture
def cluster(ray_settings: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that trains nothing, and two nodes of one core each."""
    del ray_settings
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.few = [cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)]
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def executor(cluster: Any) -> Iterator[RayExecutor]:
    del cluster
    executor = RayExecutor()
    yield executor
    executor.shutdown()


def until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def begun(executor: RayExecutor, *marks: Path) -> list[Future[Any]]:
    """Tasks that sleep, once all of them do."""
    running = [executor.submit(Task(work.sleep, (120, mark))) for mark in marks]
    until(lambda: all(mark.exists() and mark.read_text() for mark in marks))
    return running


def test_a_cluster_has_the_cores_of_all_its_nodes_that_are_there(
    cluster: Any, executor: RayExecutor, tmp_path: Path
) -> None:
    assert (executor.widest, executor.slots(1, False), executor.slots(2, False)) == (1, 2, 1)
    assert executor.submit(Task(work.double, (2,), threads=8)).result(60) == 4, "with as many as a node has"
    cluster.add_node(num_cpus=4, num_gpus=2)
    cluster.wait_for_nodes()
    assert executor.widest == 2, "the cores that come with a GPU"
    assert (executor.slots(1, False), executor.slots(1, True), executor.slots(2, True)) == (6, 4, 2)
    tasks = [Task(work.sees, (tmp_path / str(i),), on_gpu=True) for i in range(4)]
    running = [executor.submit(task) for task in tasks]
    until(lambda: len([*tmp_path.iterdir()]) == 4)
    (tmp_path / "go").touch()
    assert sorted(future.result(60) for future in running) == ["0", "0", "1", "1"]
    assert executor.submit(Task(work.sees, (tmp_path / "4",))).result(60) in ("", "all"), "who asks for none has none"


def test_a_node_that_dies_takes_its_task_and_no_other(cluster: Any, executor: RayExecutor, tmp_path: Path) -> None:
    marks = tmp_path / "one", tmp_path / "two"
    running = begun(executor, *marks)
    pids = [int(mark.read_text()) for mark in marks]
    node = cluster.few[0]
    here = {child.pid for child in psutil.Process(node.all_processes["raylet"][0].process.pid).children(recursive=True)}
    (lost,) = [future for future, pid in zip(running, pids, strict=True) if pid in here]
    (left,) = [future for future in running if future is not lost]
    cluster.remove_node(node, allow_graceful=False)
    with pytest.raises(WorkerLost, match=r"NodeDiedError|WorkerCrashedError"):
        lost.result(90)
    assert not left.done()
    executor.cancel(left)
    with pytest.raises(CancelledError):
        left.result(0)
    until(lambda: not any(map(psutil.pid_exists, pids)))
    until(lambda: executor.submit(Task(work.double, (2,))).result(60) == 4)


def test_a_cluster_that_is_not_there_is_said(ray_settings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del ray_settings
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ExecutorUnusable, match=r"no Ray cluster at 127\.0\.0\.1:1: "):
        RayExecutor()


def queued(database: Database, paths: DataPaths) -> str:
    """A job that trains for real; its id."""
    estimate = validate(SPEC, paths)
    with database.session() as session:
        return jobs.submit(session, SPEC, estimate.question, estimate.candidates).id


def front_of(database: Database, job_id: str) -> Any:
    with database.session() as session:
        assert jobs.get(session, job_id).state == "succeeded", jobs.get(session, job_id).error
        points = pareto(measurements.of_job(session, job_id), "params").points
        return {point.arm.id: (point.architecture, point.accuracy, point.holdout) for point in points}


def heard(database: Database, job_id: str, kind: type) -> list[Any]:
    with database.session() as session:
        rows = events.after(session, job_id, 0, 10_000)
        return [event for event in map(events.event_of, rows) if isinstance(event, kind)]


@pytest.mark.timeout(400)
def test_a_job_whose_node_is_killed_and_whose_runner_is_killed_finds_the_same(
    cluster: Any, paths: DataPaths, bucket: str, tmp_path: Path
) -> None:
    """Every machine has the images and the store, and nothing else in common."""
    undisturbed, disturbed = (Database(f"sqlite:///{tmp_path / name}.db") for name in ("calm", "wild"))
    for database in (undisturbed, disturbed):
        database.upgrade()
    job_id = queued(undisturbed, paths)
    executor = RayExecutor()
    assert Runner(undisturbed, store_at(bucket, tmp_path / "calm"), executor, paths).run_one()
    executor.shutdown()
    wanted = front_of(undisturbed, job_id)

    job_id = queued(disturbed, paths)
    shutil.copytree(paths.cache / "execution", tmp_path / "data" / "cache" / "execution")  # computed in the same way
    settings = {
        "ESPALIER_DATABASE_URL": disturbed.url,
        "ESPALIER_DATA_DIR": str(tmp_path / "data"),
        "ESPALIER_STORE": bucket,
        "ESPALIER_CHECKPOINT_SECONDS": "0",
        "ESPALIER_EXECUTOR": "ray",
    }
    command = (str(Path(sys.executable).with_name("espalier")), "runner")
    first = subprocess.Popen(command, env=os.environ | settings)
    until(lambda: len(heard(disturbed, job_id, EpochEvent)) >= 2, 120)
    cluster.remove_node(cluster.few[0], allow_graceful=False)
    before = len(heard(disturbed, job_id, EpochEvent))
    until(lambda: len(heard(disturbed, job_id, EpochEvent)) >= before + 2, 120)
    first.kill()
    first.wait()
    second = subprocess.Popen(command, env=os.environ | settings)
    try:
        until(lambda: _is_over(disturbed, job_id), 240)
    finally:
        second.terminate()
        second.wait(30)
    assert front_of(disturbed, job_id) == wanted
    begun_at = starts(heard(disturbed, job_id, object))
    again = [epoch for epochs in begun_at.values() for epoch in epochs[1:]]
    assert len(begun_at) == 4
    assert any(epoch > 0 for epoch in again), f"nobody went on from a checkpoint: {begun_at}"


def starts(told: list[Any]) -> dict[str, list[int]]:
    """By candidate, the first epoch that was told after each time that it was begun."""
    found: dict[str, list[int]] = {}
    waiting: set[str] = set()
    for event in told:
        if isinstance(event, CandidateStarted):
            waiting.add(event.candidate)
        elif isinstance(event, EpochEvent) and event.candidate in waiting:
            waiting.discard(event.candidate)
            found.setdefault(event.candidate, []).append(event.epoch)
    return found


def _is_over(database: Database, job_id: str) -> bool:
    with database.session() as session:
        return jobs.get(session, job_id).state in ("succeeded", "failed")
