"""What routes depend on: one service, a session that commits once, a place in a listing."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from espalier.app.server.deps import Limit, Position, ServiceDep, SessionDep, get_position
from espalier.app.server.responses import cursor
from espalier.storage.tables import ArchitectureRow
from tests.app.world import World


def test_a_position_is_what_the_cursor_names() -> None:
    assert get_position(None) is None
    assert get_position(cursor(7)) == 7
    with pytest.raises(HTTPException, match="is none that a page gave out") as caught:
        get_position("x")
    assert caught.value.status_code == 422


def routes(world: World) -> TestClient:
    """A few routes with these dependencies."""
    app = FastAPI()
    app.state.service = world.service

    @app.get("/service")
    def service(service: ServiceDep) -> bool:
        return service is world.service

    @app.get("/page")
    def page(limit: Limit = 50, position: Position = None) -> list[Any]:
        return [limit, position]

    @app.post("/{name}")
    def write(name: str, session: SessionDep, fail: bool = False) -> str:
        session.add(ArchitectureRow(id=name, arch="a", config={}, params=1, macs=1))
        session.flush()
        if fail:
            raise RuntimeError
        return name

    return TestClient(app, raise_server_exceptions=False)


def test_there_is_one_service(world: World) -> None:
    assert routes(world).get("/service").json() is True


def test_a_page_has_limits(world: World) -> None:
    client = routes(world)
    assert client.get("/page").json() == [50, None]
    assert client.get("/page", params={"limit": 200, "cursor": cursor(3)}).json() == [200, 3]
    for wrong in ({"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"cursor": "x" * 201}):
        assert client.get("/page", params=wrong).status_code == 422


def test_a_session_commits_when_the_route_is_through_and_not_at_all_if_it_fails(world: World) -> None:
    client = routes(world)
    assert client.post("/kept").status_code == 200
    assert client.post("/lost", params={"fail": True}).status_code == 500
    with world.service.database.session() as session:
        assert [row.id for row in session.query(ArchitectureRow)] == ["kept"]
