"""What routes depend on: one service, a place in a listing."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from espalier.app.server.deps import Limit, Position, ServiceDep, get_position
from espalier.app.server.responses import cursor
from tests.app.world import World, problem


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

    return TestClient(app, raise_server_exceptions=False)


def test_a_parameter_that_a_route_does_not_have_is_refused_with_those_it_has(world: World) -> None:
    refused = problem(world.client.get("/v1/jobs", params={"stat": "queued"}), 422, "no query parameter 'stat'")
    assert refused["detail"].endswith("there are: cursor, limit, state")
    problem(world.client.get("/v1/jobs/x", params={"a": 1, "b": 2}), 422, "'a', 'b'; there are none here")
    assert world.client.get("/v1/jobs", params={"state": "queued", "limit": 3}).status_code == 200


def test_there_is_one_service(world: World) -> None:
    assert routes(world).get("/service").json() is True


def test_a_page_has_limits(world: World) -> None:
    client = routes(world)
    assert client.get("/page").json() == [50, None]
    assert client.get("/page", params={"limit": 200, "cursor": cursor(3)}).json() == [200, 3]
    for wrong in ({"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"cursor": "x" * 201}):
        assert client.get("/page", params=wrong).status_code == 422
