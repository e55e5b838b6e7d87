"""Pages as answers: files are ours, and errors are pages for who reads pages."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from espalier.app.rendering import STATIC_FILES
from tests.app.server.pages.conftest import HTML
from tests.app.world import World, problem


def test_an_error_is_a_page_to_browsers_and_a_problem_to_programs(browser: TestClient) -> None:
    page = browser.get("/jobs/x")
    assert (page.status_code, "no job &#39;x&#39;" in page.text) == (404, True)
    assert page.headers["content-type"].startswith("text/html")
    problem(browser.get("/v1/jobs/x"), 404, "no job 'x'")
    problem(browser.get("/jobs/x", headers={"Accept": "application/json"}), 404, "no job 'x'")
    assert browser.get("/sign-out").headers["allow"] == "POST"


def test_every_file_of_a_page_is_the_services_own(browser: TestClient) -> None:
    """No request leaves the host, and no page has a script or style within."""
    for page in ("/", "/new", "/architectures", "/patterns", "/sign-in"):
        text = browser.get(page).text
        files = re.findall(r'(?:src|href|action)="([^"]+)"', text)
        assert all(file.startswith(("/", "?", "#")) for file in files), page
        assert " style=" not in text
        assert not re.search(r"<script(?![^>]* src=)|<style| on[a-z]+=", text)
        for file in filter(lambda one: one.startswith("/static/"), files):
            assert browser.get(file).status_code == 200


def test_files_of_pages_need_no_token_and_are_small(stranger: TestClient) -> None:
    for file in STATIC_FILES.iterdir():
        assert stranger.get(f"/static/{file.name}").status_code == 200
    assert sum(file.stat().st_size for file in STATIC_FILES.iterdir()) < 30_000


@pytest.mark.parametrize("path", ["/static/%2e%2e/main.py", "/static/..%2fmain.py", "/static//etc/passwd", "/static/x"])
def test_nothing_else_is_served(path: str, stranger: TestClient) -> None:
    assert stranger.get(path).status_code == 404


def test_a_service_that_cannot_answer_says_so_on_the_page(world: World, browser: TestClient) -> None:
    world.service.database.close()
    (world.settings.data_dir / "espalier.db").unlink()
    answer = browser.get("/")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "<h1>Service Unavailable</h1>" in answer.text


def test_an_error_that_nothing_foresaw_has_the_headers_of_every_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("espalier.storage.jobs.page", burst)
    answer = world.client.get("/", headers=HTML)
    assert (answer.status_code, "a secret" in answer.text) == (500, False)
    assert answer.headers["connection"] == "close"
    for name in ("content-security-policy", "x-content-type-options", "cache-control"):
        assert answer.headers[name]
