"""Reading specs: what cannot work is refused at the door, cheaply, and beside the event loop."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError

from espalier.app.server import body
from espalier.app.server.body import parse_spec
from espalier.search.recipe import Crop
from espalier.search.spec import JobSpec
from tests.app.world import SPEC, World, problem

BAD_SPECS: list[tuple[Any, int]] = [
    ("{", 400),
    ("", 422),
    ("[]", 422),
    ("null", 422),
    ('{"target": {"arch": "vgg11", "dataset": "digits"}, "minimum_keep": NaN}', 422),
    ('{"target": {"arch": "vgg11", "dataset": "digits"}, "minimum_keep": 1e999}', 422),
    ('{"target": {"arch": "vgg11", "dataset": "digits"}, "schema_version": 4}', 422),
    ({}, 422),
    ({"target": {}}, 422),
    ({"target": {"arch": "vgg11"}}, 422),
    ({"target": {"arch": 7, "dataset": "digits"}}, 422),
    ({"target": {"arch": "vgg11", "dataset": "digits", "extra": 1}}, 422),
    (SPEC | {"extra": 1}, 422),
    (SPEC | {"seeds": []}, 422),
    (SPEC | {"seeds": list(range(10_000))}, 422),
    (SPEC | {"seeds": "0"}, 422),
    (SPEC | {"keep_weights": "yes"}, 422),
    (SPEC | {"recipe": {"epochs": "1"}}, 422),
    (SPEC | {"recipe": {"epochs": True}}, 422),
    (SPEC | {"budgets": [{"metric": "params", "keep": True}]}, 422),
    (SPEC | {"budgets": [{"metric": "params", "keep": "0.5"}]}, 422),
    (SPEC | {f"x{i}": i for i in range(10_000)}, 422),
    (SPEC | {"budgets": []}, 422),
    (SPEC | {"budgets": [{"metric": "params", "keep": 0}]}, 422),
    (SPEC | {"methods": [{"name": "slimming"}, {"name": "slimming"}]}, 422),
    (SPEC | {"recipe": {"preset": "never"}}, 422),
    (SPEC | {"recipe": {"momentum": 0}}, 422),
    (SPEC | {"name": "a\u0000b"}, 422),
    (SPEC | {"target": {"arch": "vgg11", "dataset": "nowhere"}}, 422),
]


@pytest.mark.parametrize(("body", "status"), BAD_SPECS, ids=lambda value: str(value)[:60])
def test_a_bad_spec_is_refused_and_nothing_is_stored_or_started(world: World, body: Any, status: int) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    for path in ("/v1/jobs", "/v1/jobs/plan"):
        problem(world.client.post(path, content=content, headers={"Content-Type": "application/json"}), status)
    assert world.get("/v1/jobs")["items"] == []
    assert world.executor.evaluated == []


def test_other_media_types_are_refused(world: World) -> None:
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = world.client.post("/v1/jobs", content=json.dumps(SPEC), headers={"Content-Type": media})
        problem(answer, 422, "Content-Type: application/json", media)


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": [-1] * 200_000},
        {"seeds": [[[0] * 100] * 100] * 10},
        {str(n): n for n in range(60_000)},
        {"target": {"arch": "vgg11", "dataset": "digits", "options": {str(n): [n] for n in range(4000)}}},
    ],
)
def test_a_spec_that_holds_too_much_is_refused_before_it_is_validated(world: World, changes: dict[str, Any]) -> None:
    found = problem(world.client.post("/v1/jobs", json=SPEC | changes), 422, "a spec holds at most 5,000 values")
    assert len(found["errors"]) == 1


def test_specs_are_read_beside_the_event_loop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(content: bytes, media_type: str) -> JobSpec:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return parse_spec(content, media_type)

    monkeypatch.setattr(body, "parse_spec", parse)
    world.submit()
    assert world.client.post("/v1/jobs/plan", json=SPEC).status_code == 200


def test_a_spec_of_the_first_release_is_read_as_it_was_meant() -> None:
    old = SPEC | {"schema_version": 1, "floor": 0.2, "recipe": {"flip": False, "crop": 2}}
    spec = parse_spec(json.dumps(old).encode(), "application/json")
    assert (spec.schema_version, spec.minimum_keep) == (3, 0.2)
    assert spec.recipe.changes == {"augment": (Crop(pad=2),)}


@pytest.mark.parametrize("media_type", ["application/json", "APPLICATION/JSON; charset=utf-8"])
def test_json_is_json_however_its_type_is_spelled(media_type: str) -> None:
    assert parse_spec(json.dumps(SPEC).encode(), media_type) == JobSpec.model_validate(SPEC)


@pytest.mark.parametrize(
    ("content", "media_type", "kind", "place"),
    [
        (b"", "application/json", "missing", ("body",)),
        (b"{}", "text/plain", "media_type", ("body",)),
        (b"{", "application/json", "json_invalid", ("body",)),
        (b"[" * 100_000, "application/json", "json_invalid", ("body",)),
        (b"\xff", "application/json", "json_invalid", ("body",)),
        (b'{"seeds": [[' + b"1," * 6000 + b"1]]}", "application/json", "too_much", ("body",)),
        (
            b'{"target": {"arch": "vgg11", "dataset": 3}}',
            "application/json",
            "string_type",
            ("body", "target", "dataset"),
        ),
    ],
)
def test_what_is_refused_says_why_and_where(content: bytes, media_type: str, kind: str, place: tuple[str, ...]) -> None:
    with pytest.raises(RequestValidationError) as caught:
        parse_spec(content, media_type)
    error = caught.value.errors()[0]
    assert (error["type"], tuple(error["loc"])[: len(place)]) == (kind, place)
