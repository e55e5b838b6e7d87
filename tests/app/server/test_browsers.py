"""Browsers: no other page acts for its user, and no other name reaches the service."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from espalier.app.server.browsers import HEADERS
from espalier.app.server.main import create_app
from tests.app.world import TOKEN, World, problem


@pytest.fixture
def local(world: World) -> TestClient:
    """A browser of a service on this machine that asks for no token."""
    world.service.token = None
    app = create_app(world.service, {"127.0.0.1", "localhost", "::1"})
    return TestClient(app, base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:9", "[::1]:8000"])
def test_its_own_names_are_answered(host: str, local: TestClient) -> None:
    assert local.get("/v1/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8000", "", "[", "a@b"])
def test_other_names_are_refused(host: str, local: TestClient) -> None:
    problem(local.get("/v1/jobs", headers={"Host": host}), 421, "ESPALIER_HOSTS")
    problem(local.get("/healthz", headers={"Host": host}), 421)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8000"},
    ],
)
def test_other_pages_change_nothing(headers: dict[str, str], local: TestClient, world: World) -> None:
    job_id = world.submit()
    for method, path in (("POST", f"/v1/jobs/{job_id}/cancel"), ("DELETE", f"/v1/jobs/{job_id}")):
        problem(local.request(method, path, headers=headers), 403, "a page of another site")
    assert world.get(f"/v1/jobs/{job_id}")["state"] == "queued"


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}])
def test_its_own_pages_and_programs_do(headers: dict[str, str], local: TestClient, world: World) -> None:
    assert local.post(f"/v1/jobs/{world.submit()}/cancel", headers=headers).status_code == 202


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/v1/jobs", "/nothing", "/openapi.json", "/sign-in"])
def test_every_answer_says_what_browsers_may_do_with_it(path: str, world: World) -> None:
    for headers in (TOKEN, {}):
        answer = TestClient(world.client.app, follow_redirects=False).get(path, headers=headers)
        assert answer.headers.keys() >= {name.lower() for name in HEADERS}
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_scripts_of_others_run_nowhere(world: World) -> None:
    assert "script-src" not in world.client.get("/").headers["content-security-policy"], "only its own files may"
