"""The demonstration: a service of its own on a free loopback port, one search over HTTP, and what comes of it."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from espalier.app import tables
from espalier.app.client import report
from espalier.app.client.client import Client, ClientError
from espalier.app.client.progress import follow
from espalier.search.answers.values import Pareto, Point
from espalier.search.states import JobState
from espalier.storage.database import Database
from espalier.storage.recordings import Recording, enter

SPEC: dict[str, Any] = {
    "name": "VGG-11 on a part of Fashion-MNIST",
    "target": {"arch": "vgg11", "options": {"width": 0.25}, "dataset": "fashion_small"},
    "budgets": [{"metric": "params", "keep": 0.05}, {"metric": "macs", "keep": 0.05}],
    "minimum_keep": 0.05,
    "baselines": ["uniform"],
    "recipe": {"epochs": 6},
    "seeds": [0, 1, 2, 3],
}
"""Two questions with two answers: at equal parameters and at equal multiply-adds."""


def run(console: Console, output: Path) -> int:
    """Run the demonstration; the exit code. Its report, and the network that it exports, stay in `output`."""
    with tempfile.TemporaryDirectory(prefix="espalier-demo-") as folder, service(Path(folder)) as client:
        console.print(
            f"A service runs on {client.url}, with SQLite in {folder}. Submitting over HTTP:", highlight=False
        )
        console.print_json(data=SPEC)
        started = time.monotonic()
        job = follow(client, client.submit(SPEC).id, console)
        console.print(f"The search took {time.monotonic() - started:.0f} seconds.\n", highlight=False)
        if job.state is not JobState.SUCCEEDED:
            console.print(f"The job {job.state}: {job.error}")
            return 1
        front = _print_answers(client, job.id, console)
        page = output / "report.html"
        report.write(client, job.id, page)
        console.print(f"{page} shows it all, with pictures: open it in a browser", highlight=False)
        return _export(client, _best(front).architecture, console, output)


def _print_answers(client: Client, job: str, console: Console) -> Pareto:
    """What came of a job, in tables and a sentence; its front."""
    front, answer = client.pareto(job), client.verdict(job)
    for table in (tables.pareto(front), tables.verdict(answer), tables.efficiency(answer)):
        console.print(table)
    console.print(answer.summary + "\n", highlight=False)
    return front


CLI = (sys.executable, "-m", "espalier.app.client.cli")
RECORDING = Path(__file__).with_name("recorded.json.gz")
"""A job that took nearly two hours; `python -m benchmarks.recording` made it."""


def show_recorded(console: Console, wait: Callable[[], object]) -> int:
    """Serve a job that was recorded, to look at it in the page, until `wait` returns; the exit code."""
    with tempfile.TemporaryDirectory(prefix="espalier-demo-") as folder:
        job = recorded_in(Path(folder))
        with service(Path(folder)) as client:
            _print_answers(client, job, console)
            found = client.job(job)
            page = f"{client.url}/sign-in?token={client.token}&next=/jobs/{job}"
            console.print(f"{found.name}, recorded {found.finished_at:%Y-%m-%d}. To look at it, open", highlight=False)
            console.print(page, highlight=False, soft_wrap=True)
            console.print("Its trained weights are not in the recording. Ctrl-C ends this.", highlight=False)
            with suppress(KeyboardInterrupt):
                wait()
    return 0


def recorded_in(folder: Path) -> str:
    """Put the recorded job where a service in this folder will look for jobs; its id."""
    found = Recording.read(json.loads(gzip.decompress(RECORDING.read_bytes())))
    (folder / "data").mkdir()
    database = Database(f"sqlite:///{folder / 'data' / 'espalier.db'}")
    try:
        database.upgrade()
        with database.session() as session:
            return enter(session, found).id
    finally:
        database.close()


def _best(front: Pareto) -> Point:
    """The automatic point to take: chosen by the hold-out, never by the test accuracy that is reported."""
    return max((point for point in front.points if point.arm.role == "automatic"), key=lambda point: point.holdout)


REBUILD = {
    "pruned.json": "from espalier.models import build; from espalier.search import read_document; "
    "from pathlib import Path; net = build(read_document(Path('pruned.json').read_text()))",
    "pruned.py": "from pruned import build; net = build('pruned.safetensors')",
}
"""How each exported file becomes a network again; the second needs torch alone, and brings the weights along."""


def _export(client: Client, architecture: str, console: Console, folder: Path) -> int:
    """Export the config, the network as Python and its weights, and rebuild it from each in a fresh interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    params = client.architecture(architecture).cost.params
    for format, suffix in (("json", "json"), ("python", "py"), ("safetensors", "safetensors")):
        (folder / f"pruned.{suffix}").write_bytes(client.export(architecture, format)[1])
    for name, code in REBUILD.items():
        built = subprocess.run(
            [sys.executable, "-c", f"{code}; print(sum(p.numel() for p in net.parameters()))"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if built.returncode or int(built.stdout) != params:
            console.print(f"{name} does not rebuild the network: {built.stderr or built.stdout}")
            return 1
        console.print(f"{folder / name} rebuilds it: {int(built.stdout):,} parameters, as measured", highlight=False)
    return 0


@contextmanager
def service(
    folder: Path, datasets: Path | None = None, extra: Mapping[str, str] | None = None, runs: bool = True
) -> Iterator[Client]:
    """A service in a process of its own, which keeps everything in `folder`; it is gone when the context ends.

    `extra` are variables of its environment; one that does not run jobs lets them wait.
    """
    port, token = _free_port(), secrets.token_urlsafe(16)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ESPALIER_")}
    environment |= {"ESPALIER_DATA_DIR": str(folder / "data"), "ESPALIER_TOKEN": token, "ESPALIER_LOG_LEVEL": "warning"}
    if datasets is not None:
        environment["ESPALIER_DATASETS_DIR"] = str(datasets)
    environment |= extra or {}
    process = subprocess.Popen(
        [*CLI, "serve" if runs else "api", "--port", str(port), "--with-parent"],
        env=environment,
        stdin=subprocess.PIPE,  # closes when this process ends, even if it is killed
    )
    try:
        with Client(f"http://127.0.0.1:{port}", token) as client:
            _wait_until_ready(client, process, runs)
            yield client
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        if process.stdin is not None:
            process.stdin.close()


def _wait_until_ready(client: Client, process: subprocess.Popen[bytes], runs: bool) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            client.ready() if runs else client.jobs(1)
            return
        except ClientError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ClientError(f"the demonstration's service did not start: {error}") from error
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
