"""Signing in and out: one token, once, and no other site."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from espalier.app.server.auth import signed_in
from espalier.app.server.main import create_app
from tests.app.world import World, problem


@pytest.mark.parametrize("page", ["/", "/new", "/architectures", "/patterns", "/docs", "/jobs/x?cost=macs", "/nothing"])
def test_every_page_asks_to_sign_in_first_and_comes_back(page: str, stranger: TestClient) -> None:
    answer = stranger.get(page)
    assert answer.status_code == 303
    form = stranger.get(answer.headers["location"])
    assert (form.status_code, ">Token</label>" in form.text) == (200, True)
    (action,) = re.findall(r'action="([^"]+)"', form.text)
    wrong = stranger.post(action, data={"token": "wrong"})
    assert (wrong.status_code, "That token is not known here" in wrong.text) == (401, True)
    right = stranger.post(action, data={"token": " secret "})
    assert (right.status_code, right.headers["location"]) == (303, page)
    assert stranger.get(page).status_code in (200, 404)


def test_programs_are_told_in_their_own_words(stranger: TestClient) -> None:
    for page in ("/", "/jobs/x", "/openapi.json"):
        problem(stranger.get(page, headers={"Accept": "*/*"}), 401)
    problem(stranger.get("/v1/jobs"), 401)


def test_a_token_in_the_address_becomes_a_cookie(stranger: TestClient) -> None:
    answer = stranger.get("/sign-in?token=secret")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    for word in ("HttpOnly", "SameSite=lax", "Max-Age=", "espalier_"):
        assert word in cookie
    assert "secret" not in cookie, "the cookie is not the token"
    assert stranger.get("/v1/jobs").status_code == 200


def test_a_wrong_token_in_the_address_is_said(stranger: TestClient) -> None:
    answer = stranger.get("/sign-in?token=wrong")
    assert answer.status_code == 401
    assert "The token in the address is not known here" in answer.text
    assert "set-cookie" not in answer.headers


def test_who_signs_out_is_asked_again(browser: TestClient) -> None:
    assert browser.get("/").status_code == 200
    answer = browser.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert browser.get("/").status_code == 303
    problem(browser.get("/v1/jobs"), 401)


def test_a_form_sent_after_the_cookie_ran_out_leads_to_signing_in(stranger: TestClient) -> None:
    answer = stranger.post("/jobs/x/cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2F")


@pytest.mark.parametrize(
    "next", ["//evil.example", "http://evil.example", "/\\evil.example", "x", "", "/a\r\nB: c", "/" + "x" * 5000]
)
def test_signing_in_leads_to_no_other_site(next: str, stranger: TestClient) -> None:
    answer = stranger.post("/sign-in", params={"next": next}, data={"token": "secret"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    answer = stranger.get("/sign-in", params={"next": next, "token": "secret"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_long_address_is_come_back_to(stranger: TestClient) -> None:
    page = "/compare?" + "&".join(f"job={n:016x}" for n in range(40))
    answer = stranger.get(page)
    assert stranger.get(answer.headers["location"]).status_code == 200
    (action,) = re.findall(r'action="([^"]+)"', stranger.get(answer.headers["location"]).text)
    assert stranger.post(action, data={"token": "secret"}).headers["location"] == page


def test_what_is_asked_for_is_not_written_into_the_page(stranger: TestClient) -> None:
    page = stranger.get("/sign-in", params={"next": '/"><script>alert(1)</script>'}).text
    assert "<script>" not in page


def test_the_cookie_is_worth_nothing_as_a_token(stranger: TestClient) -> None:
    offered = {"Authorization": f"Bearer {signed_in('secret')}"}
    problem(stranger.get("/v1/jobs", headers=offered), 401)


def test_a_wrong_token_is_refused_though_the_browser_has_signed_in(browser: TestClient) -> None:
    problem(browser.get("/v1/jobs", headers={"Authorization": "Bearer wrong"}), 401)


def test_a_service_without_a_token_asks_for_none(world: World) -> None:
    world.service.token = None
    browser = TestClient(create_app(world.service), headers={"Accept": "text/html"}, follow_redirects=False)
    for page in ("/", "/docs", "/v1/jobs"):
        assert browser.get(page).status_code == 200
    assert "set-cookie" not in browser.get("/sign-in?token=secret").headers
    assert browser.post("/sign-in", data={"token": "x"}).headers["location"] == "/"
