"""Rates: who asks too often is told when to come back; who has a token is served."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from espalier.app.server import rates
from espalier.app.server.main import create_app
from espalier.app.service import Service
from espalier.app.settings import Settings
from espalier.storage import tokens
from tests.app.fakes import FakeExecutor
from tests.app.world import World, problem


@pytest.fixture
def limited(tmp_path: Path) -> World:
    world = World(tmp_path)
    settings = Settings(data_dir=tmp_path, max_requests_per_token="3/minute")
    world.service = Service(settings, FakeExecutor(), "secret")
    world.client = TestClient(
        create_app(world.service), headers={"Authorization": "Bearer secret"}, raise_server_exceptions=False
    )
    return world


def test_a_token_may_ask_so_often_and_no_more(limited: World) -> None:
    for _ in range(3):
        assert limited.client.get("/v1/jobs").status_code == 200
    answer = limited.client.get("/v1/jobs")
    problem(answer, 429, "more than 3 requests per minute with this token", "try again in")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert limited.client.get("/healthz", headers={"Authorization": ""}).status_code == 200, "which needs no token"


def test_tokens_are_counted_apart(limited: World) -> None:
    with limited.service.database.session() as session:
        ada = tokens.create(session, "ada", "read")
    for _ in range(4):
        last = limited.client.get("/v1/jobs")
    assert last.status_code == 429
    assert limited.client.get("/v1/jobs", headers={"Authorization": f"Bearer {ada}"}).status_code == 200


def test_without_the_setting_nobody_is_counted(world: World) -> None:
    assert {world.client.get("/v1/jobs").status_code for _ in range(50)} == {200}


def test_who_sends_wrong_tokens_is_refused_and_who_has_one_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "WRONG_TOKENS", rates.RateLimitItemPerMinute(5))
    wrong = {"Authorization": "Bearer wrong"}
    assert [world.client.get("/v1/jobs", headers=wrong).status_code for _ in range(6)] == [401] * 5 + [429]
    problem(world.client.get("/v1/jobs", headers=wrong), 429, "too many wrong tokens", "try again in")
    assert world.client.get("/v1/jobs").status_code == 200
    assert world.client.get("/v1/jobs", headers={"Authorization": ""}).status_code == 401, "no token is no guess"
    page = world.client.post("/sign-in", data={"token": "wrong"}, headers={"Authorization": "", "Accept": "text/html"})
    assert page.status_code == 429
    assert "too many wrong tokens" in page.text
