"""Guides that name a job are spelt out when a spec comes in."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.app.server.guides import resolved
from espalier.search.errors import SpecError
from espalier.search.spec import JobSpec
from tests.app.world import SPEC, World, problem


def following(job_id: str, **changes: Any) -> dict[str, Any]:
    return SPEC | {"methods": [], "guides": [{"job": job_id}], **changes}


def test_a_job_can_follow_what_another_one_found(world: World) -> None:
    first = world.finish()
    answer = world.client.post("/v1/jobs", json=following(first), headers={"Idempotency-Key": "k"})
    assert answer.status_code == 202, answer.text
    guides = answer.json()["spec"]["guides"]
    assert [(one["name"], one["keep"], one["budget"]["keep"], one["job"]) for one in guides] == [
        ("vgg11 digits slimming", [0.1], 0.1, first),
        ("vgg11 digits slimming", [0.5], 0.5, first),
    ]
    again = world.client.post("/v1/jobs", json=following(first), headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])
    assert world.runner.run_one()
    verdicts = world.get(f"/v1/jobs/{answer.json()['id']}/verdict")["verdicts"]
    assert {(one["method"], one["against"]) for one in verdicts} == {("guided by vgg11 digits slimming", "uniform")}


def test_two_jobs_alike_need_names_to_be_followed_both(world: World) -> None:
    first, second = world.finish(), world.finish(seeds=[5, 6])
    same = following(first, guides=[{"job": first}, {"job": second}])
    problem(world.client.post("/v1/jobs", json=same), 422, "two guides of one name", "give them names")
    named = following(first, guides=[{"job": first, "name": "one"}, {"job": second, "name": "other"}])
    answer = world.client.post("/v1/jobs", json=named)
    assert {one["name"] for one in answer.json()["spec"]["guides"]} == {"one slimming", "other slimming"}


def test_a_guide_that_is_spelt_out_stays_as_it_is(world: World) -> None:
    spec = JobSpec.model_validate(SPEC | {"guides": [{"name": "g", "keep": [0.5]}]})
    assert resolved(world.service, spec) is spec


def test_only_patterns_for_budgets_of_the_job_are_followed(world: World) -> None:
    first = world.finish()
    spec = JobSpec.model_validate(following(first, budgets=[{"metric": "params", "keep": 0.5}]))
    assert [str(one.budget) for one in resolved(world.service, spec).guides] == ["params=0.5"]
    other = JobSpec.model_validate(following(first, budgets=[{"metric": "macs", "keep": 0.5}]))
    with pytest.raises(SpecError, match=r"has patterns for params=0\.1, params=0\.5, and this one asks for macs=0\.5"):
        resolved(world.service, other)


def test_a_job_without_patterns_or_that_is_not_there_is_refused(world: World) -> None:
    waiting = world.submit()
    for path in ("/v1/jobs", "/v1/jobs/plan"):
        problem(world.client.post(path, json=following(waiting)), 422, "has patterns for no budget yet")
        problem(world.client.post(path, json=following("none")), 404, "no job 'none'")


def test_a_pattern_of_the_library_is_followed_at_every_budget_though_its_job_is_gone(world: World) -> None:
    first = world.finish()
    known = next(one for one in world.get("/v1/patterns")["items"] if one["pattern"]["budget"]["keep"] == 0.1)
    assert world.client.delete(f"/v1/jobs/{first}").status_code == 204
    asked = following(first, guides=[{"pattern": known["id"]}], budgets=[{"metric": "macs", "keep": 0.3}])
    answer = world.client.post("/v1/jobs", json=asked)
    assert answer.status_code == 202, answer.text
    (guide,) = answer.json()["spec"]["guides"]
    assert guide == {
        "name": "vgg11 digits slimming params=0.1", "keep": [0.1], "job": first, "pattern": known["id"],
    }  # fmt: skip
    assert world.runner.run_one()
    (record,) = world.get(f"/v1/patterns/{known['id']}")["record"]
    assert (record["job"], record["budget"], record["against"]) == (
        answer.json()["id"],
        {"metric": "macs", "keep": 0.3},
        "uniform",
    )
    problem(world.client.post("/v1/jobs", json=following("", guides=[{"pattern": "x"}])), 404, "no pattern 'x'")


def test_shares_of_ones_own_are_no_pattern_of_the_library(world: World) -> None:
    world.finish()
    known = world.get("/v1/patterns")["items"][0]
    keep = [stage["keep"]["mean"] for stage in known["pattern"]["stages"]]
    for shares, id, kept in (
        (keep, known["id"], known["id"]),
        ([0.3], known["id"], None),
        ([0.3], "x" * 200, None),
        (keep, known["id"][:8], None),
    ):
        guides = [{"name": "mine", "keep": shares, "pattern": id}]
        answer = world.client.post("/v1/jobs", json=SPEC | {"methods": [], "guides": guides})
        assert answer.json()["spec"]["guides"][0].get("pattern") == kept
        assert world.client.post(f"/v1/jobs/{answer.json()['id']}/cancel").status_code == 202


def test_the_same_request_is_the_same_job_though_what_it_named_is_gone(world: World) -> None:
    first = world.finish()
    asked, key = following(first), {"Idempotency-Key": "k"}
    made = world.client.post("/v1/jobs", json=asked, headers=key)
    assert made.status_code == 202
    assert world.client.delete(f"/v1/jobs/{first}").status_code == 204
    again = world.client.post("/v1/jobs", json=asked, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    problem(world.client.post("/v1/jobs", json=asked | {"name": "x"}, headers=key), 409, "another request")
