"""Pages: the front page, signing in, and the documentation."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from espalier.app.server.auth import signed_in
from espalier.app.server.main import create_app
from tests.app.world import World, problem


@pytest.fixture
def browser(world: World) -> TestClient:
    """One that has not signed in."""
    return TestClient(world.client.app, follow_redirects=False)


def test_the_front_page_needs_no_token(browser: TestClient) -> None:
    answer = browser.get("/")
    assert answer.status_code == 200
    assert "<h1>Espalier</h1>" in answer.text


def test_a_token_in_the_address_becomes_a_cookie(browser: TestClient) -> None:
    answer = browser.get("/?token=secret")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    for word in ("HttpOnly", "SameSite=strict", "Max-Age=", "espalier_"):
        assert word in cookie
    assert "secret" not in cookie, "the cookie is not the token"
    assert browser.get("/v1/jobs").status_code == 200


def test_a_wrong_token_in_the_address_is_said(browser: TestClient) -> None:
    answer = browser.get("/?token=wrong")
    assert answer.status_code == 401
    assert "The token in the address is not this service" in answer.text
    assert "set-cookie" not in answer.headers


def test_the_documentation_asks_to_sign_in_first(browser: TestClient) -> None:
    answer = browser.get("/docs")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/docs")
    form = browser.get(answer.headers["location"])
    (action,) = re.findall(r'action="([^"]+)"', form.text)
    wrong = browser.post(action, data={"token": "wrong"})
    assert (wrong.status_code, "That is not this service" in wrong.text) == (401, True)
    problem(browser.get("/openapi.json"), 401)
    right = browser.post(action, data={"token": " secret "})
    assert (right.status_code, right.headers["location"]) == (303, "/docs")
    assert browser.get("/docs").status_code == 200
    assert browser.get("/openapi.json").status_code == 200


def test_the_documentation_needs_no_internet(browser: TestClient) -> None:
    browser.get("/?token=secret")
    files = re.findall(r'(?:src|href)="([^"]+)"', browser.get("/docs").text)
    assert len(files) == 3
    for file in files:
        assert file.startswith("/static/"), file
        assert browser.get(file).status_code == 200


@pytest.mark.parametrize("next", ["//evil.example", "http://evil.example", "/\\evil.example", "x", "", "/a\r\nB: c"])
def test_signing_in_leads_to_no_other_site(next: str, browser: TestClient) -> None:
    answer = browser.post("/sign-in", params={"next": next}, data={"token": "secret"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_what_is_asked_for_is_not_written_into_the_page(browser: TestClient) -> None:
    page = browser.get("/sign-in", params={"next": '/"><script>alert(1)</script>'}).text
    assert "<script>" not in page


def test_the_cookie_is_worth_nothing_as_a_token(browser: TestClient) -> None:
    offered = {"Authorization": f"Bearer {signed_in('secret')}"}
    problem(browser.get("/v1/jobs", headers=offered), 401)


def test_a_wrong_token_is_refused_though_the_browser_has_signed_in(browser: TestClient) -> None:
    browser.get("/?token=secret")
    problem(browser.get("/v1/jobs", headers={"Authorization": "Bearer wrong"}), 401)


def test_a_service_without_a_token_asks_for_none(world: World) -> None:
    world.service.token = None
    browser = TestClient(create_app(world.service), follow_redirects=False)
    assert browser.get("/v1/jobs").status_code == 200
    assert browser.get("/docs").status_code == 200
    assert "set-cookie" not in browser.get("/?token=secret").headers
    assert browser.post("/sign-in", data={"token": "x"}).headers["location"] == "/"
