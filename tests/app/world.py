"""A whole service without processes or training, and what answers of it are checked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi.testclient import TestClient
from starlette.types import ASGIApp

from espalier.app.client.client import Client
from espalier.app.server.main import create_app
from espalier.app.service import Service
from espalier.app.settings import Settings
from espalier.app.work.runner import Runner
from espalier.storage.database import Database
from tests.app.fakes import FakeExecutor

SPEC: dict[str, Any] = {
    "target": {"arch": "vgg11", "dataset": "digits"},
    "baselines": ["uniform"],
    "seeds": [0, 1],
    "parents": "one",
    "budgets": [{"metric": "params", "keep": 0.1}, {"metric": "params", "keep": 0.5}],
}
TOKEN = {"Authorization": "Bearer secret"}


class World:
    """A service on SQLite with a fake executor, a client, and a runner that runs when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, max_queued_jobs=3)
        self.executor = FakeExecutor()
        self.service = Service(self.settings, self.executor, "secret")
        self.service.database.upgrade()
        self.runner = Runner(
            Database(self.settings.url),
            self.service.store,
            self.executor,
            self.service.paths,
        )
        self.client = TestClient(create_app(self.service), headers=TOKEN, raise_server_exceptions=False)

    def submit(self, **changes: Any) -> str:
        """Queue a job; its id."""
        answer = self.client.post("/v1/jobs", json=SPEC | changes)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def finish(self, **changes: Any) -> str:
        """Queue a job and run it; its id."""
        job_id = self.submit(**changes)
        assert self.runner.run_one()
        return job_id

    def get(self, path: str, **params: Any) -> Any:
        """What is answered there."""
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


def problem(answer: Any, status: int, *words: str) -> dict[str, Any]:
    """The body of an answer that is a problem document with these words."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= set(body)
    assert body["status"] == status
    assert "Traceback" not in answer.text
    for word in words:
        assert word in body["detail"]
    return body


@contextmanager
def listening(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """The application behind a real socket, on some port or this one; its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def connected(world: World, app: ASGIApp | None = None) -> Iterator[Client]:
    """A client of the service, over a real socket."""
    with listening(app or world.client.app) as url, Client(url, "secret") as client:
        yield client
