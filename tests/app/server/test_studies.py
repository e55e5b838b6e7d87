"""Optuna's dashboard: there to be read, whatever it would do, and only for who has signed in."""

from __future__ import annotations

import sys

import pytest
from fastapi.testclient import TestClient

from espalier.app.server.main import create_app
from espalier.app.server.studies import SCRIPT, Unknown, moved
from tests.app.world import TOKEN, World, problem


def test_a_study_is_read_with_its_names(world: World) -> None:
    job = world.finish(name="a search")
    (study,) = world.get("/optuna/api/studies")["study_summaries"]
    assert study["study_name"] == job
    found = world.get(f"/optuna/api/studies/{study['study_id']}", after=0)
    assert len(found["trials"]) == 11
    attributes = {one["key"]: one["value"] for one in found["trials"][0]["user_attrs"]}
    assert "/architectures/" in attributes["page"]
    assert "seed" in attributes["training"]


def test_pages_and_files_have_our_addresses(world: World) -> None:
    world.finish()
    for path in ("/optuna", "/optuna/", "/optuna/dashboard", "/optuna/dashboard/studies/1"):
        page = world.client.get(path)
        assert page.status_code == 200, path
        assert 'src="/optuna/static/bundle.js"' in page.text
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    script = world.client.get("/optuna/static/bundle.js").text
    for old, new in SCRIPT.items():
        assert (old in script, new in script) == (False, True)
    assert world.client.get("/optuna/favicon.ico").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(method: str, world: World) -> None:
    world.finish()
    (study,) = world.get("/optuna/api/studies")["study_summaries"]
    for path in (f"/optuna/api/studies/{study['study_id']}", "/optuna/api/studies", "/optuna/api/migrate"):
        problem(world.client.request(method, path), 405, "changed by their jobs alone")
    assert len(world.get("/optuna/api/studies")["study_summaries"]) == 1


def test_it_asks_to_sign_in(world: World) -> None:
    stranger = TestClient(world.client.app, follow_redirects=False)
    problem(stranger.get("/optuna/api/studies"), 401)
    page = stranger.get("/optuna/dashboard", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=%2Foptuna%2Fdashboard")


def test_where_it_is_not_installed_it_says_how(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    without = TestClient(create_app(world.service), headers=TOKEN)
    for path in ("/optuna", "/optuna/", "/optuna/dashboard"):
        problem(without.get(path), 404, "espalier-nas[dashboard]")


def test_a_release_that_is_made_otherwise_is_not_served(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("espalier.app.server.studies.SCRIPT", {"no such words": ""})
    other = TestClient(create_app(world.service), headers=TOKEN)
    problem(other.get("/optuna/dashboard"), 404, "not as this release knows it")
    with pytest.raises(Unknown, match="2 times"):
        moved("a a", {"a": "b"})
