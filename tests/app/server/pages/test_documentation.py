"""The API's documentation as a page."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient


def test_it_needs_no_internet(browser: TestClient) -> None:
    files = re.findall(r'(?:src|href)="([^"]+)"', browser.get("/docs").text)
    assert len(files) == 3
    for file in files:
        assert file.startswith("/static/"), file
        assert browser.get(file).status_code == 200


def test_it_alone_may_run_scripts_of_its_own(browser: TestClient) -> None:
    assert "'unsafe-inline'" in browser.get("/docs").headers["content-security-policy"]
    for page in ("/", "/new", "/sign-in", "/nothing"):
        assert "unsafe" not in browser.get(page).headers["content-security-policy"]


def test_the_document_is_there(browser: TestClient) -> None:
    assert browser.get("/openapi.json").json()["info"]["title"] == "Espalier"


def test_language_models_are_told_every_route_in_short(stranger: TestClient, browser: TestClient) -> None:
    answer = stranger.get("/llms.txt")
    assert answer.status_code == 200, "whoever asks has no token yet"
    assert answer.headers["content-type"].startswith("text/markdown")
    assert answer.text.startswith("# Espalier\n\n> ")
    for path, operations in browser.get("/openapi.json").json()["paths"].items():
        for verb in operations:
            assert f"- `{verb.upper()} {path}`: " in answer.text
    assert len(answer.text) < 10_000, "it is short"
