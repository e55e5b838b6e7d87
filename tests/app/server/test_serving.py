"""The real thing: processes, signals, kills, and training, over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from espalier.app.client import Client, ClientError

ROOT = Path(__file__).parents[2]
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

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ESPALIER_")},
            "ESPALIER_DATA_DIR": str(folder),
            "ESPALIER_TOKEN": "t",
            "PYTHONPATH": str(ROOT),
        }
        self.log = (folder.parent / f"{folder.name}.log").open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "espalier.app.cli", "serve", "--port", str(self.port)],
            env=self.environment, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.client = Client(f"http://127.0.0.1:{self.port}", "t")
        until(self.is_ready, 60)

    def is_ready(self) -> bool:
        try:
            self.client.get("/readyz")
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


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Serve]]:
    started: list[Serve] = []

    def start(name: str = "data") -> Serve:
        started.append(Serve(tmp_path / name))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def finish(client: Client, job_id: str) -> Any:
    until(lambda: client.get(f"/v1/jobs/{job_id}")["state"] in ("succeeded", "failed", "cancelled"))
    return client.get(f"/v1/jobs/{job_id}")


def front(client: Client, job_id: str) -> Any:
    """All that training decides; not how long things took."""
    found = client.get(f"/v1/jobs/{job_id}/pareto")
    return [{k: v for k, v in point.items() if k != "latency_ms"} for point in found["points"]]


def running_epochs(client: Client, job_id: str) -> int:
    return sum(e["event"] == "epoch" for e in client.pages(f"/v1/jobs/{job_id}/events"))


def test_killed_in_the_middle_of_a_candidate_it_gives_the_same_front(
    serve: Callable[..., Serve], tmp_path: Path
) -> None:
    """SIGKILL while candidates train, with epochs behind them, twice.

    The choice of how networks are computed is shared, since it is measured.
    """
    undisturbed = serve("calm")
    job = undisturbed.client.submit(SPEC)["id"]
    assert finish(undisturbed.client, job)["state"] == "succeeded"
    expected = front(undisturbed.client, job)
    undisturbed.end()
    (tmp_path / "wild" / "cache").mkdir(parents=True)
    (tmp_path / "calm" / "cache" / "execution").rename(tmp_path / "wild" / "cache" / "execution")

    service = serve("wild")
    job = service.client.submit(SPEC)["id"]
    for finished in (1, 3):

        def is_in_the_middle(client: Client = service.client, finished: int = finished) -> bool:
            states = [c["state"] for c in client.get(f"/v1/jobs/{job}/candidates")["items"]]
            has_checkpoint = any((tmp_path / "wild" / "work" / job).glob("*.safetensors"))
            return states.count("succeeded") >= finished and "running" in states and has_checkpoint

        until(is_in_the_middle)
        assert service.end(signal.SIGKILL) == -signal.SIGKILL
        service = serve("wild")
    ended = finish(service.client, job)
    assert (ended["state"], ended["attempts"]) == ("succeeded", 3)
    assert front(service.client, job) == expected
    service.end()


def test_cancelling_stops_processes_within_5_seconds(serve: Callable[..., Serve]) -> None:
    service = serve()
    job = service.client.submit(LONG)["id"]
    until(lambda: running_epochs(service.client, job) > 0)
    workers = [p for p in psutil.Process(service.process.pid).children(recursive=True) if p.cpu_percent(0.1) > 20]
    assert workers
    asked = time.monotonic()
    service.client.post(f"/v1/jobs/{job}/cancel")
    ended = finish(service.client, job)
    assert (ended["state"], time.monotonic() - asked < 5) == ("cancelled", True)
    gone, alive = psutil.wait_procs(workers, 5)
    assert not alive
    del gone
    assert "running" not in {c["state"] for c in service.client.get(f"/v1/jobs/{job}/candidates")["items"]}
    assert service.end() == 0


def test_sigterm_gives_the_job_back_and_closes_open_streams(serve: Callable[..., Serve]) -> None:
    service = serve()
    job = service.client.submit(LONG)["id"]
    until(lambda: running_epochs(service.client, job) > 0)
    reading = threading.Thread(target=lambda: list(service.client._stream(job, 0)))
    reading.start()
    asked = time.monotonic()
    assert service.end() == 0
    assert time.monotonic() - asked < 15
    reading.join(5)
    assert not reading.is_alive()
    again = serve()
    until(lambda: again.client.get(f"/v1/jobs/{job}")["attempts"] == 2)
    again.client.post(f"/v1/jobs/{job}/cancel")
    assert finish(again.client, job)["state"] == "cancelled"


def test_a_second_service_on_one_data_directory_is_refused(serve: Callable[..., Serve]) -> None:
    service = serve()
    second = subprocess.run(
        [sys.executable, "-m", "espalier.app.cli", "serve", "--port", str(free_port())],
        env=service.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert "another Espalier already runs on" in second.stderr
    assert "Traceback" not in second.stderr
    assert service.client.get("/readyz") == {"status": "ok"}


def test_two_submissions_at_once_with_one_key_make_one_job(serve: Callable[..., Serve]) -> None:
    service = serve()
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(service.client.submit(LONG, "k")["id"])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1
    assert len(service.client.pages("/v1/jobs")) == 1


def test_a_search_with_curl_alone_ends_in_a_file_that_builds_the_network(
    serve: Callable[..., Serve], tmp_path: Path
) -> None:
    """What the README shows: submit, wait, read the front, export, build in an empty directory."""
    service = serve()
    url = f"http://127.0.0.1:{service.port}/v1"

    def curl(*args: str) -> str:
        ran = subprocess.run(
            ["curl", "-sf", "-H", "Authorization: Bearer t", *args], capture_output=True, text=True, check=True
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
