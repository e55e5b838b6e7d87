"""The real thing: processes, signals, kills, and training, over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from espalier.app.client.client import Client, ClientError
from espalier.app.schemas import JobView
from espalier.app.server.processes import upgrade
from espalier.app.settings import SettingsError
from espalier.search.events import EpochEvent
from espalier.search.states import FINISHED
from espalier.storage.database import Database

TOKEN = "token-of-tests"

pytestmark = pytest.mark.alone

SPEC: dict[str, Any] = {
    "target": {"arch": "vgg11", "options": {"width": 0.1}, "dataset": "digits"},
    "budgets": [{"metric": "params", "keep": 0.3}],
    "seeds": [0, 1],
    "recipe": {"epochs": 4, "batch_size": 64},
}
LONG = SPEC | {"recipe": {"epochs": 500, "batch_size": 64}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Serve:
    """`espalier serve` in a process of its own."""

    def __init__(self, folder: Path, measured: Path) -> None:
        """`measured` is shared by all services: how networks are computed here, which timing finds out once."""
        (folder / "cache").mkdir(parents=True, exist_ok=True)
        if not (folder / "cache" / "execution").exists():
            (folder / "cache" / "execution").symlink_to(measured)
        self.port = free_port()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ESPALIER_")},
            "ESPALIER_DATA_DIR": str(folder),
            "ESPALIER_TOKEN": TOKEN,
        }
        self.log = (folder.parent / f"{folder.name}.log").open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "espalier.app.client.cli", "serve", "--port", str(self.port)],
            env=self.environment, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.client = Client(f"http://127.0.0.1:{self.port}", TOKEN)
        until(self.is_ready, 60)

    def is_ready(self) -> bool:
        try:
            self.client.ready()
            return True
        except ClientError:
            assert self.process.poll() is None, Path(self.log.name).read_text()
            return False

    def end(self, number: int = signal.SIGTERM) -> int:
        children = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.send_signal(number)
        code = self.process.wait(20)
        _, alive = psutil.wait_procs(children, 10)
        assert not alive, "a process was left behind"
        self.client.__exit__(None, None, None)
        self.log.close()
        return code


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("execution")


@pytest.fixture
def serve(tmp_path: Path, measured: Path) -> Iterator[Callable[..., Serve]]:
    started: list[Serve] = []

    def start(name: str = "data") -> Serve:
        started.append(Serve(tmp_path / name, measured))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def finish(client: Client, job_id: str) -> JobView:
    until(lambda: client.job(job_id).state in FINISHED, 300)
    return client.job(job_id)


def front(client: Client, job_id: str) -> Any:
    """All that training decides; not how long things took."""
    return [point.model_dump(exclude={"latency_ms", "latency"}) for point in client.pareto(job_id).points]


def wait_for_an_epoch(client: Client, job_id: str) -> None:
    """Until some candidate has an epoch behind it."""
    assert any(isinstance(event.data, EpochEvent) for event in client.events(job_id))


def is_working(process: psutil.Process) -> bool:
    """False also for one that ended since it was listed: a service asks short-lived processes things, too."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cpu_percent(0.1) > 20
    return False


@pytest.mark.timeout(900)
def test_killed_in_the_middle_of_a_candidate_it_gives_the_same_front(
    serve: Callable[..., Serve], tmp_path: Path
) -> None:
    """SIGKILL while candidates train, with epochs behind them, twice."""
    undisturbed = serve("calm")
    job = undisturbed.client.submit(SPEC).id
    assert finish(undisturbed.client, job).state == "succeeded"
    expected = front(undisturbed.client, job)
    undisturbed.end()

    service = serve("wild")
    job = service.client.submit(SPEC).id
    for finished in (1, 3):

        def is_in_the_middle(client: Client = service.client, finished: int = finished) -> bool:
            states = [one.state for one in client.candidates(job)]
            has_checkpoint = any((tmp_path / "wild" / "work" / job).glob("*.safetensors"))
            return states.count("succeeded") >= finished and "running" in states and has_checkpoint

        until(is_in_the_middle, 300)
        assert service.end(signal.SIGKILL) == -signal.SIGKILL
        service = serve("wild")
    ended = finish(service.client, job)
    assert (ended.state, ended.attempts) == ("succeeded", 3)
    assert front(service.client, job) == expected
    service.end()


def test_cancelling_stops_processes_within_5_seconds(serve: Callable[..., Serve]) -> None:
    service = serve()
    job = service.client.submit(LONG).id
    wait_for_an_epoch(service.client, job)
    workers = [p for p in psutil.Process(service.process.pid).children(recursive=True) if is_working(p)]
    assert workers
    asked = time.monotonic()
    service.client.cancel(job)
    ended = finish(service.client, job)
    assert (ended.state, time.monotonic() - asked < 5) == ("cancelled", True)
    gone, alive = psutil.wait_procs(workers, 5)
    assert not alive
    del gone
    assert "running" not in {one.state for one in service.client.candidates(job)}
    assert service.end() == 0


def test_sigterm_gives_the_job_back_and_closes_open_streams(serve: Callable[..., Serve]) -> None:
    service = serve()
    job = service.client.submit(LONG).id
    wait_for_an_epoch(service.client, job)
    read: list[object] = []

    def follow() -> None:
        with (
            Client(service.client.url, TOKEN) as reader,
            contextlib.suppress(ClientError),
        ):  # nobody is there in the end
            read.extend(reader.events(job))

    reading = threading.Thread(target=follow)
    reading.start()
    asked = time.monotonic()
    assert service.end() == 0
    assert time.monotonic() - asked < 15
    reading.join(5)
    assert not reading.is_alive()
    again = serve()
    until(lambda: again.client.job(job).attempts == 2)
    again.client.cancel(job)
    assert finish(again.client, job).state == "cancelled"


def test_a_second_service_on_one_data_directory_is_refused(serve: Callable[..., Serve]) -> None:
    service = serve()
    second = subprocess.run(
        [sys.executable, "-m", "espalier.app.client.cli", "serve", "--port", str(free_port())],
        env=service.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert "another Espalier already runs on" in second.stderr
    assert "Traceback" not in second.stderr
    assert service.client.ready().status == "ok"


def test_what_it_keeps_is_its_owners_alone(serve: Callable[..., Serve], tmp_path: Path) -> None:
    service = serve()
    service.client.submit(LONG)
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in kept} == {0}
    assert "espalier.db" in {path.name for path in kept}


def test_two_submissions_at_once_with_one_key_make_one_job(serve: Callable[..., Serve]) -> None:
    service = serve()
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(service.client.submit(LONG, "k").id)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1
    assert len(service.client.jobs()) == 1


def test_a_search_with_curl_alone_ends_in_a_file_that_builds_the_network(
    serve: Callable[..., Serve], tmp_path: Path
) -> None:
    """What the README shows: submit, wait, read the front, export, build in an empty directory."""
    service = serve()
    url = f"http://127.0.0.1:{service.port}/v1"

    def curl(*args: str) -> str:
        ran = subprocess.run(
            ["curl", "-sf", "-H", f"Authorization: Bearer {TOKEN}", *args], capture_output=True, text=True, check=True
        )
        return ran.stdout

    spec = SPEC | {"seeds": [0]}
    job = json.loads(curl("-H", "Content-Type: application/json", "-d", json.dumps(spec), f"{url}/jobs"))["id"]
    stream = curl("-N", f"{url}/jobs/{job}/events")
    assert '"state": "succeeded"' in stream
    points = json.loads(curl(f"{url}/jobs/{job}/pareto"))["points"]
    pruned = next(point for point in points if point["origin"] == "pruned")
    folder = tmp_path / "empty"
    folder.mkdir()
    for name, format in (("pruned.py", "python"), ("weights.safetensors", "safetensors")):
        curl("-o", str(folder / name), f"{url}/architectures/{pruned['architecture']}/export?format={format}")
    code = "from pruned import build; print(sum(p.numel() for p in build('weights.safetensors').parameters()))"
    built = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False,
                           env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"})  # fmt: skip
    assert built.stdout.strip() == str(pruned["params"]), built.stderr


# --- in this process --------------------------------------------------------------------------------------------------


def test_upgrade_makes_the_database_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'mine.db'}"
    monkeypatch.setenv("ESPALIER_DATABASE_URL", url)
    upgrade()
    database = Database(url)
    assert database.is_current()
    database.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [("nonsense", "cannot open"), ("postgresql://me:s3cret@127.0.0.1:1/x", r"cannot use .*me:\*\*\*@")],
)
def test_a_database_that_cannot_be_used_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setenv("ESPALIER_DATABASE_URL", url)
    with pytest.raises(SettingsError, match=words):
        upgrade()
