"""Patterns as pages."""

from __future__ import annotations

from fastapi.testclient import TestClient

from tests.app.server.pages.test_jobs import text
from tests.app.world import World


def test_the_library_and_one_of_it(world: World, browser: TestClient) -> None:
    assert "None yet" in text(browser, "/patterns")
    job = world.finish()
    (first, *_) = world.get("/v1/patterns")["items"]
    page = text(browser, "/patterns", arch="vgg11")
    assert f"/patterns/{first['id']}" in page
    one = text(browser, f"/patterns/{first['id']}")
    assert f"/jobs/{job}" in one
    assert "It was not followed yet" in one
    assert one.count("<meter") == len(first["pattern"]["stages"])
    text(browser, "/patterns/x", 404)


def test_where_it_was_followed_stands_with_it(world: World, browser: TestClient) -> None:
    source = world.finish()
    world.finish(guides=[{"job": source}], methods=[], name="carried")
    known = next(one for one in world.get("/v1/patterns")["items"] if one["record"])
    page = text(browser, f"/patterns/{known['id']}")
    assert "Where it was followed" in page
    assert known["record"][0]["answer"] in page
