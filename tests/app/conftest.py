"""What tests of the application share: a service in this process, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from espalier.app.client.client import Client
from espalier.storage.database import Database
from tests.app.world import World, connected


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A service of the test's own."""
    world = World(tmp_path / "data")
    yield world
    world.client.close()
    world.service.close()


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """A client of that service, over a real socket."""
    with connected(world) as client:
        yield client


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An up-to-date SQLite database."""
    database = Database(f"sqlite:///{tmp_path / 'espalier.db'}")
    database.upgrade()
    yield database
    database.close()
