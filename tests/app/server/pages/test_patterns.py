"""Patterns as pages."""

from __future__ import annotations

import re

import pytest
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


def patterns_of(world: World, job: str) -> list[str]:
    return [one["id"] for one in world.get("/v1/patterns")["items"] if one["job"] == job]


def test_one_pattern_over_another(world: World, browser: TestClient) -> None:
    first, second = patterns_of(world, world.finish())
    page = text(browser, f"/patterns/{first}")
    assert page.count("<svg") == 1
    assert second[:10] not in page
    page = text(browser, f"/patterns/{first}", beside=second[:10])
    budgets = {one["id"]: one["pattern"]["budget"] for one in world.get("/v1/patterns")["items"]}
    for one in (first, second):
        metric, keep = budgets[one]["metric"], budgets[one]["keep"]
        assert f">{one[:10]}, vgg11 digits, {metric}={keep:g}</text>" in page, "they may differ in nothing else"
    assert "How alike they are at equal depths" in page
    assert "no pattern &#39;nowhere&#39;" in text(browser, f"/patterns/{first}", beside="nowhere")
    text(browser, f"/patterns/{first}", 422, beside="x" * 300)


@pytest.mark.parametrize(("options", "width"), [({}, ""), ({"width": 0.5}, "0.5")])
def test_elsewhere_begins_as_where_it_was_found(
    world: World, browser: TestClient, options: dict[str, float], width: str
) -> None:
    target = {"arch": "vgg11", "dataset": "digits", "options": options}
    pattern, *_ = patterns_of(world, world.finish(target=target))
    assert f'name="width" value="{width}"' in text(browser, f"/patterns/{pattern}")


def test_what_a_pattern_gives_elsewhere(world: World, browser: TestClient) -> None:
    pattern, *_ = patterns_of(world, world.finish())
    asked = {"arch": "vgg13", "width": "0.25", "dataset": "digits", "budget": "params=0.3"}
    page = text(browser, f"/patterns/{pattern}", **asked)
    assert "Nothing was trained" in page
    assert page.count("<svg") == 2
    applied = world.client.post(
        f"/v1/patterns/{pattern}/apply",
        json={
            "target": {"arch": "vgg13", "options": {"width": 0.25}, "dataset": "digits"},
            "budget": {"metric": "params", "keep": 0.3},
        },
    ).json()
    for name, width in applied["config"]["widths"].items():
        assert re.search(f"{re.escape(name)}: [^>]* keeps {width} of ", page)
    assert (
        f"espalier apply {pattern[:10]} --arch vgg13 --dataset digits --budget params=0.3 --option width=0.25" in page
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arch": "vgg12"}, "no architecture"),
        ({"dataset": "nothing"}, "no data set"),
        ({"budget": "params=lots"}, "is a number"),
        ({"budget": "params=7"}, "budget"),
        ({"budget": "half"}, "budget"),
        ({"width": "wide"}, "width is a number"),
        ({"budget": "params=0.0001"}, "0.0001"),
    ],
)
def test_where_it_cannot_be_followed_is_said(
    changes: dict[str, str], words: str, world: World, browser: TestClient
) -> None:
    pattern, *_ = patterns_of(world, world.finish())
    asked = {"arch": "vgg13", "width": "0.25", "dataset": "digits", "budget": "params=0.3"}
    page = text(browser, f"/patterns/{pattern}", **(asked | changes))
    assert words in page[page.index('class="failed"') :]
    assert "Nothing was trained" not in page
