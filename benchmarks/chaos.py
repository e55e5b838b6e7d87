"""Kills at random moments: `python -m benchmarks.chaos --kills 100 --database postgresql`. Runner, API and workers get
SIGKILL while real small jobs run, a PostgreSQL server crashes; then every job must be there, whole, once, and its front
that of the same job where nothing was killed."""

from __future__ import annotations

import collections
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console

from espalier.app.client.client import Client, ClientError
from espalier.app.tables import table
from espalier.search.events import CandidateFinished
from espalier.search.states import FINISHED
from tests.conftest import CrashingPostgres, crashing_postgres

TOKEN = "token-of-a-benchmark"
PINNED = {"ESPALIER_PRECISION": "float32", "ESPALIER_CHANNELS_LAST": "false", "ESPALIER_THREADS": "1"}
"""Or timing could choose otherwise the second time, and numbers would be others."""
PACE = 10.0
"""Seconds between two kills, at most."""
AT_ONCE = 2
"""Jobs that are queued or run at any time."""
PATIENCE = 1800
"""Seconds for what is left when nothing is killed any more."""


def spec(number: int) -> dict[str, Any]:
    """A job that shares no training with another one."""
    return {
        "name": f"chaos {number}",
        "target": {"arch": "vgg11", "options": {"width": 0.1}, "dataset": "digits"},
        "budgets": [{"metric": "params", "keep": 0.3}],
        "seeds": [2 * number, 2 * number + 1],
        "recipe": {"epochs": 6, "batch_size": 32},
    }


class Running:
    """A service of two processes, each of which can be killed; it is started again at once."""

    def __init__(self, folder: Path, database: str | None) -> None:
        self.port = _free_port()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("ESPALIER_")} | PINNED
        self.environment |= {"ESPALIER_DATA_DIR": str(folder / "data"), "ESPALIER_TOKEN": TOKEN}
        if database:
            self.environment["ESPALIER_DATABASE_URL"] = database
        self.log = (folder / "log").open("a")
        self.client = Client(f"http://127.0.0.1:{self.port}", TOKEN)
        self.parts = {name: self._start(name) for name in ("api", "runner")}

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        words = [name, "--port", str(self.port)] if name == "api" else [name]
        command = [sys.executable, "-m", "espalier.app.client.cli", *words]
        return subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=self.log)

    def kill(self, name: str) -> bool:
        """End a part, or a process that it started, as the kernel does when memory is short."""
        if name == "worker":
            workers = [one for one in _children(self.parts["runner"].pid) if "spawn_main" in " ".join(_words(one))]
            if not workers:
                return False
            random.choice(workers).kill()
            return True
        self.parts[name].send_signal(signal.SIGKILL)
        self.parts[name].wait()
        self.parts[name] = self._start(name)
        return True

    def end(self) -> None:
        """Stop it, as a machine that is shut down does."""
        for part in self.parts.values():
            part.terminate()
        for part in self.parts.values():
            try:
                part.wait(40)
            except subprocess.TimeoutExpired:
                part.kill()
        self.log.close()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(
    kills: int = 100,
    restarts: Annotated[int, typer.Option(help="of a PostgreSQL server, among them")] = 20,
    database: Annotated[str, typer.Option(help="sqlite or postgresql")] = "sqlite",
    seed: int = 0,
) -> None:
    """One row of numbers, of which the last three should be 0; it ends with 1 if they are not. A training whose process
    dies three times before it has an epoch more is given up, as one that takes too much memory has to be; its job is
    retried then, as its user would."""
    random.seed(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="espalier-chaos-")))
        for name in ("wild", "calm"):
            (folder / name).mkdir()
        server = stack.enter_context(crashing_postgres()) if database == "postgresql" else None
        wild = Running(folder / "wild", server.url if server else None)
        stack.callback(wild.end)
        started = time.monotonic()
        done, jobs = _disturb(wild, kills, restarts if server else 0, server)
        found, given_up = _wait(wild.client, jobs), 0
        while again := [job for job in jobs if wild.client.job(job).progress.failed]:
            errors = [one.error for job in again for one in wild.client.candidates(job) if one.state == "failed"]
            given_up += len(errors)
            for error in sorted({str(error) for error in errors}):
                Console(width=150).print(f"given up: {error}", highlight=False)
            for job in again:
                wild.client.retry(job)
            found = _wait(wild.client, jobs)
        seconds = time.monotonic() - started
        doubled, fronts = _looked_at(wild.client, found)
        calm = Running(folder / "calm", None)
        stack.callback(calm.end)
        expected = [_submitted(calm.client, number) for number in range(len(jobs))]
        _, calm_fronts = _looked_at(calm.client, _wait(calm.client, expected))
        lost = sum(state != "succeeded" for state in found.values())
        differ = sum(one != other for one, other in zip(fronts, calm_fronts, strict=True))
    told = ", ".join(f"{count} {name}" for name, count in sorted(done.items()))
    columns = (
        "database", "killed", "jobs", "minutes", "given up, then retried", "jobs lost", "results lost or doubled",
        "fronts that differ",
    )  # fmt: skip
    row = (database, told, len(jobs), f"{seconds / 60:.0f}", given_up, lost, doubled, differ)
    Console(width=150).print(table("What is left of jobs whose service is killed", columns, [row]))
    raise typer.Exit(int(bool(lost or doubled or differ)))


def _disturb(
    service: Running, kills: int, restarts: int, server: CrashingPostgres | None
) -> tuple[collections.Counter[str], list[str]]:
    """Kill so often, while there is always something to do; what was killed, and the jobs."""
    victims = [*random.choices(["runner", "api", "worker"], [35, 25, 40], k=kills), *["database"] * restarts]
    random.shuffle(victims)
    done: collections.Counter[str] = collections.Counter()
    jobs: list[str] = []
    for victim in victims:
        deadline = time.monotonic() + random.uniform(0.2, PACE)
        while time.monotonic() < deadline:
            if _open(service.client, jobs) < AT_ONCE:
                jobs.append(_submitted(service.client, len(jobs)))
            time.sleep(0.1)
        if victim == "database" and server is not None:
            server.crash()
        else:
            until = time.monotonic() + 60
            while not service.kill(victim) and time.monotonic() < until:
                time.sleep(0.1)
        done[victim] += 1
    return done, jobs


def _submitted(client: Client, number: int) -> str:
    """The id of a job that is asked for until it is known to be queued; the key says that it is the same."""
    while True:
        try:
            return client.submit(spec(number), idempotency_key=f"chaos {number}").id
        except ClientError:
            time.sleep(0.2)


def _open(client: Client, jobs: list[str]) -> int:
    while True:
        try:
            return sum(client.job(job).state not in FINISHED for job in jobs[-AT_ONCE:])
        except ClientError:
            time.sleep(0.2)


def _wait(client: Client, jobs: list[str]) -> Mapping[str, str]:
    """Until all have ended: how."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            states = {job: str(client.job(job).state) for job in jobs}
        except ClientError:
            states = {}
        if states and all(state in FINISHED for state in states.values()):
            return states
        time.sleep(1)
    raise SystemExit(f"jobs still run after {PATIENCE} s: {states}")


def _looked_at(client: Client, jobs: Mapping[str, str]) -> tuple[int, list[Any]]:
    """Candidates that have no result, or were told of more or less than once; and the fronts, as far as training
    decides them."""
    wrong, fronts = 0, []
    for job in jobs:
        planned = [one.key for one in client.candidates(job) if one.state == "succeeded" and one.accuracy is not None]
        told = collections.Counter(
            event.data.candidate for event in client.events(job) if isinstance(event.data, CandidateFinished)
        )
        wrong += client.job(job).progress.total - len(planned) + sum(told[key] != 1 for key in planned)
        fronts.append([one.model_dump(exclude={"latency_ms", "latency"}) for one in client.pareto(job).points])
    return wrong, fronts


if __name__ == "__main__":
    typer.run(main)
