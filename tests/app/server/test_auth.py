"""The token: asked for first, compared whole, and nothing is never it."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from espalier.app.server.auth import cookie_name, is_token, signed_in
from espalier.app.server.main import create_app
from tests.app.world import World, problem


def test_everything_but_health_and_docs_wants_the_token(world: World) -> None:
    routes = list(world.client.app.openapi()["paths"].items())  # type: ignore[attr-defined]
    open_to_all = {"/healthz", "/readyz"}
    for path, operations in routes:
        for method in operations:
            for headers in (
                {"Authorization": ""},
                {"Authorization": "Bearer wrong"},
                {"Authorization": "Basic secret"},
            ):
                answer = world.client.request(method, path.replace("{", "").replace("}", ""), headers=headers)
                if path in open_to_all:
                    assert answer.status_code != 401
                else:
                    assert problem(answer, 401)["detail"].endswith("send 'Authorization: Bearer <token>'")
                    assert answer.headers["www-authenticate"] == "Bearer"
    assert world.client.get("/openapi.json", headers={"Authorization": ""}).status_code == 401


def test_an_empty_token_opens_nothing(world: World) -> None:
    world.service.token = ""
    client = TestClient(create_app(world.service))
    problem(client.get("/v1/jobs", headers={"Authorization": ""}), 401)
    problem(client.get("/v1/jobs", headers={"Authorization": "Bearer "}), 401)


def test_the_token_is_asked_for_before_the_body_is_read(world: World) -> None:
    wrong = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
    for content in (b"{", b" " * (2 * 1024 * 1024)):
        problem(world.client.post("/v1/jobs", content=content, headers=wrong), 401)


@pytest.mark.parametrize(
    ("token", "offered", "same"),
    [("secret", "secret", True), ("secret", "Secret", False), ("secret", "secre", False), ("secret", None, False),
     ("secret", "", False), ("", "", False), ("", None, False), ("é✓", "é✓", True)],
)  # fmt: skip
def test_nothing_is_never_the_token(token: str, offered: str | None, same: bool) -> None:
    assert is_token(token, offered) is same


def test_only_static_files_stand_beside_the_open_pages(world: World) -> None:
    for path in ("/static", "/staticky/x", "/docs/", "/healthz/x", "//v1/jobs"):
        problem(world.client.get(path, headers={"Authorization": ""}), 401)


def test_a_cookie_belongs_to_one_port_and_is_not_the_token() -> None:
    def name(port: int) -> str:
        return cookie_name({"type": "http", "server": ("127.0.0.1", port)})

    assert name(8000) != name(8001)
    assert signed_in("secret") != signed_in("Secret")
    assert "secret" not in signed_in("secret")
