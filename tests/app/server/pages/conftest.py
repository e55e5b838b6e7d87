"""Browsers: clients that say that they read pages."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.app.world import World

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def stranger(world: World) -> TestClient:
    """One that has not signed in."""
    return TestClient(world.client.app, headers=HTML, follow_redirects=False)


@pytest.fixture
def browser(stranger: TestClient) -> TestClient:
    """One that has."""
    assert stranger.get("/sign-in?token=secret").status_code == 303
    return stranger
