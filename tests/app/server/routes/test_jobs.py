"""Submitting jobs and following them: pages, words that fit the state, events that get lost for nobody."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import httpx2
import pytest

from espalier.storage.candidates import Pace
from tests.app.world import SPEC, TOKEN, World, listening, problem


def test_a_submitted_job_is_found_where_it_says(world: World) -> None:
    answer = world.client.post("/v1/jobs", json=SPEC)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert world.get(answer.headers["location"]) == job
    assert (job["state"], job["name"], job["attempts"]) == ("queued", "vgg11 on digits", 0)
    assert job["progress"] == {
        "done": 0, "failed": 0, "running": 0, "total": 11, "fraction": 0.0, "eta_seconds": None,
    }  # fmt: skip
    assert job["spec"]["target"]["arch"] == "vgg11"


def test_a_plan_is_shown_and_nothing_is_stored(world: World) -> None:
    answer = world.client.post("/v1/jobs/plan", json=SPEC).json()
    assert len(answer["candidates"]) == 11
    assert set(answer) == {"candidates", "most", "dense", "epochs", "macs", "seconds"}
    assert answer["seconds"] is None, "nothing was trained here yet"
    assert answer["most"] == 11
    assert world.get("/v1/jobs")["items"] == []


def test_how_long_a_plan_takes_is_reckoned_by_what_was_trained(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "espalier.app.service.candidates.pace",
        lambda _: Pace(macs_per_second=1e6, images_per_second=1, seconds=1, threads=1),
    )
    monkeypatch.setattr("espalier.app.service.cores", lambda: 4)
    plan = world.client.post("/v1/jobs/plan", json=SPEC | {"seeds": [5]}).json()
    assert len(plan["candidates"]) > 4
    assert plan["seconds"] == plan["macs"] / 4e6, "four at a time"
    assert world.service.rate(1) == 1e6


def test_pages(world: World) -> None:
    order = [world.submit() for _ in range(3)]
    first = world.get("/v1/jobs", limit=2)
    assert [job["id"] for job in first["items"]] == order[:0:-1]
    last = world.get("/v1/jobs", limit=2, cursor=first["next_cursor"])
    assert ([job["id"] for job in last["items"]], last["next_cursor"]) == (order[:1], None)
    assert world.get("/v1/jobs", state="running")["items"] == []
    pages, cursor = [], None
    while True:
        page = world.get(f"/v1/jobs/{order[0]}/candidates", limit=4, **({"cursor": cursor} if cursor else {}))
        pages.append(len(page["items"]))
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == [4, 4, 3]


def test_cancel_retry_delete(world: World) -> None:
    job_id = world.submit()
    problem(world.client.post(f"/v1/jobs/{job_id}/retry"), 409, "is queued")
    problem(world.client.delete(f"/v1/jobs/{job_id}"), 409, "cancel it first")
    answer = world.client.post(f"/v1/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    problem(world.client.post(f"/v1/jobs/{job_id}/cancel"), 409, "is cancelled")
    assert world.client.post(f"/v1/jobs/{job_id}/retry").json()["state"] == "queued"
    assert world.runner.run_one()
    assert world.get(f"/v1/jobs/{job_id}")["state"] == "succeeded"
    deleted = world.client.delete(f"/v1/jobs/{job_id}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    problem(world.client.get(f"/v1/jobs/{job_id}"), 404, "no job")
    assert world.get("/v1/architectures")["items"] == []
    assert not [path for path in (world.settings.data_dir / "artifacts").rglob("*") if path.is_file()]


def test_a_search_that_takes_more_than_a_job_may_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = world.finish()
    path = "/v1/jobs"
    planned = world.client.post(f"{path}/plan", json=SPEC).json()["macs"]
    for most, status in ((planned - 1, 422), (planned, 202)):
        limited = world.settings.model_copy(update={"max_macs_per_job": most})
        monkeypatch.setattr(world.service, "settings", limited)
        answer = world.client.post(path, json=SPEC)
        assert answer.status_code == status
        assert world.client.post(f"{path}/plan", json=SPEC).status_code == 200, "it can be looked at"
    monkeypatch.setattr(world.service, "settings", world.settings.model_copy(update={"max_macs_per_job": 0.5}))
    for where, what in ((path, SPEC), (f"{path}/{job_id}/extend", {"seeds": [9]})):
        problem(world.client.post(where, json=what), 422, "multiply-adds in all, and a job here no more than")


def test_a_full_queue_takes_no_job_again(world: World) -> None:
    done, cancelled = world.finish(), world.submit(seeds=[5])
    world.client.post(f"/v1/jobs/{cancelled}/cancel")
    for seed in range(3):
        world.submit(seeds=[10 + seed])
    problem(world.client.post(f"/v1/jobs/{cancelled}/retry"), 429, "3 jobs wait")
    problem(world.client.post(f"/v1/jobs/{done}/extend", json={"seeds": [9]}), 429, "3 jobs wait")


def test_addresses_are_told_that_the_service_allows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = SPEC | {"webhook": "https://hooks.example.com/x"}
    problem(
        world.client.post("/v1/jobs", json=asked), 422, "hooks.example.com", "tells nobody (ESPALIER_WEBHOOK_HOSTS)"
    )
    allowed = {"webhook_hosts": "hooks.example.com", "webhook_secret": "a secret of the tests"}
    monkeypatch.setattr(world.service, "settings", world.settings.model_copy(update=allowed))
    answer = world.client.post("/v1/jobs", json=asked)
    assert answer.status_code == 202
    assert answer.json()["spec"]["webhook"] == asked["webhook"]
    for near in ("https://hooks.example.com.evil.org/", "https://evil.org/hooks.example.com", "http://localhost/"):
        problem(world.client.post("/v1/jobs", json=SPEC | {"webhook": near}), 422, "tells hooks.example.com")
    for wrong in ("ftp://hooks.example.com", "https://me:word@hooks.example.com", "https://hooks.example.com/#x"):
        assert world.client.post("/v1/jobs", json=SPEC | {"webhook": wrong}).status_code == 422


def test_pause_and_resume(world: World) -> None:
    job_id = world.submit()
    path = f"/v1/jobs/{job_id}"
    problem(world.client.post(f"{path}/resume"), 409, "is queued; only paused jobs can be resumed")
    assert world.client.post(f"{path}/pause").json()["state"] == "paused"
    problem(world.client.post(f"{path}/pause"), 409, "is paused; only queued and running jobs can be paused")
    problem(world.client.delete(path), 409, "cancel it first")
    assert not world.runner.run_one()
    assert [one["id"] for one in world.get("/v1/jobs", state="paused")["items"]] == [job_id]
    assert world.client.post(f"{path}/resume").json()["state"] == "queued"
    assert [one["state"] for one in told_data(world, path)] == ["queued", "paused", "queued"]
    assert world.client.post(f"{path}/pause").status_code == 202
    assert world.client.post(f"{path}/cancel").json()["state"] == "cancelled", "what is paused can be cancelled"


def told_data(world: World, path: str) -> list[dict[str, Any]]:
    return [one["data"] for one in told(world, path)]


def test_jobs_of_more_priority_are_begun_first(world: World) -> None:
    first, second, third = (world.submit(name=name) for name in ("first", "second", "third"))
    answer = world.client.put(f"/v1/jobs/{third}/priority", json={"priority": 5})
    assert (answer.status_code, answer.json()["priority"]) == (200, 5)
    assert world.client.put(f"/v1/jobs/{first}/priority", json={"priority": -1}).status_code == 200
    for expected in (third, second, first):
        assert world.runner.run_one()
        assert world.get(f"/v1/jobs/{expected}")["state"] == "succeeded"
    problem(world.client.put(f"/v1/jobs/{first}/priority", json={"priority": 101}), 422, "less than or equal to 100")
    problem(world.client.put("/v1/jobs/none/priority", json={"priority": 1}), 404, "no job")


def test_a_finished_job_is_extended_by_what_is_new(world: World) -> None:
    job_id = world.finish()
    path = f"/v1/jobs/{job_id}"
    before = {one["key"]: one for one in world.get(f"{path}/candidates", limit=200)["items"]}
    heard = told(world, path)[-1]["id"]
    more = {"budgets": [{"metric": "params", "keep": 0.05}], "seeds": [0, 5], "baselines": ["capped"]}
    answer = world.client.post(f"{path}/extend", json=more)
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    spec = answer.json()["spec"]
    assert spec["seeds"] == [*SPEC["seeds"], 5], "what it has is passed over"
    assert spec["baselines"] == ["uniform", "capped"]
    assert world.runner.run_one()
    assert world.get(path)["state"] == "succeeded"
    after = {one["key"]: one for one in world.get(f"{path}/candidates", limit=200)["items"]}
    assert {key: after[key] for key in before} == before
    new = [one["data"] for one in told(world, path) if one["id"] > heard]
    started = {one["candidate"] for one in new if one.get("what") == "started"}
    assert started == after.keys() - before.keys()
    assert {one["seed"] for key, one in after.items() if key not in before} == {*SPEC["seeds"], 5}
    found = world.get(f"{path}/verdict")
    assert any(one["keep"] == 0.05 for one in found["verdicts"])
    assert "Seed 5 was added when there were results to look at" in found["summary"]
    assert "Seed 5 was added" in world.client.get(f"/jobs/{job_id}").text


def told(world: World, path: str) -> list[dict[str, Any]]:
    """Events of a job."""
    answer = world.client.get(f"{path}/events", params={"limit": 200}, headers={"Accept": "application/json"})
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({}, 422, "nothing is added"),
        ({"seeds": SPEC["seeds"]}, 422, "nothing is added"),
        ({"seeds": [3, 3]}, 422, "the same thing twice"),
        ({"target": {"arch": "vgg13"}}, 422, "target"),
    ],
)
def test_what_cannot_be_added_is_refused_and_changes_nothing(
    world: World, more: dict[str, Any], status: int, words: str
) -> None:
    job_id = world.finish()
    before = world.get(f"/v1/jobs/{job_id}")
    problem(world.client.post(f"/v1/jobs/{job_id}/extend", json=more), status, words)
    assert world.get(f"/v1/jobs/{job_id}") == before


def test_what_would_change_what_is_there_is_refused(world: World) -> None:
    """As long as a pipeline is what all methods of a job say together."""
    job_id = world.finish(match=["pipeline"])
    longer = {"methods": [{"name": "slimming", "options": {"passes": 3}}]}
    problem(world.client.post(f"/v1/jobs/{job_id}/extend", json=longer), 409, "would be others", "submit a new one")
    assert world.get(f"/v1/jobs/{job_id}")["state"] == "succeeded"
    alike = {"baselines": ["capped"]}
    assert world.client.post(f"/v1/jobs/{job_id}/extend", json=alike).status_code == 202


def test_only_a_finished_job_is_extended(world: World) -> None:
    job_id = world.submit()
    problem(world.client.post(f"/v1/jobs/{job_id}/extend", json={"seeds": [9]}), 409, "is queued")
    problem(world.client.post("/v1/jobs/nowhere/extend", json={"seeds": [9]}), 404, "no job")


def test_seeds_that_grow_by_themselves_are_not_added_to(world: World) -> None:
    job_id = world.finish(seeds={"from": 2, "most": 3})
    problem(world.client.post(f"/v1/jobs/{job_id}/extend", json={"seeds": [9]}), 422, "up to 3")


def test_deleting_keeps_what_another_job_uses(world: World) -> None:
    first, second = world.finish(), world.finish(name="again")
    assert world.client.delete(f"/v1/jobs/{first}").status_code == 204
    found = world.get("/v1/architectures")["items"]
    assert {item["job"] for item in found} == {second}
    assert [path for path in (world.settings.data_dir / "artifacts").rglob("*") if path.is_file()]


def test_idempotency(world: World) -> None:
    key = {"Idempotency-Key": "one"}
    first, second = (world.client.post("/v1/jobs", json=SPEC, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["id"] == second.json()["id"]
    problem(world.client.post("/v1/jobs", json=SPEC | {"name": "other"}, headers=key), 409, "another request")
    assert len(world.get("/v1/jobs")["items"]) == 1


def test_the_queue_is_finite(world: World) -> None:
    for _ in range(3):
        world.submit()
    problem(world.client.post("/v1/jobs", json=SPEC), 429, "3 jobs wait")


def parse(stream: str) -> list[dict[str, Any]]:
    events = []
    for block in stream.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        events.append({"id": int(fields["id"]), "event": fields["event"], "data": json.loads(fields["data"])})
    return events


def test_events_stream_to_their_end_and_resume_without_loss(world: World) -> None:
    job_id = world.finish()
    answer = world.client.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = parse(answer.text)
    assert [e["id"] for e in events] == sorted({e["id"] for e in events})
    assert {e["event"] for e in events} == {"state", "preparing", "candidate", "epoch", "measuring"}
    assert events[-1]["data"]["state"] == "succeeded"
    epoch = next(e["data"] for e in events if e["event"] == "epoch")
    assert {"candidate", "epoch", "loss", "accuracy"} <= set(epoch)
    middle = events[len(events) // 2]["id"]
    rest = parse(world.client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": str(middle)}).text)
    assert rest == [e for e in events if e["id"] > middle]
    page = world.client.get(
        f"/v1/jobs/{job_id}/events", headers={"Accept": "application/json"}, params={"limit": 5}
    ).json()
    assert [e["id"] for e in page["items"]] == [e["id"] for e in events[:5]]
    following = world.client.get(
        f"/v1/jobs/{job_id}/events",
        headers={"Accept": "application/json"},
        params={"limit": 5, "cursor": page["next_cursor"]},
    ).json()
    assert [e["id"] for e in following["items"]] == [e["id"] for e in events[5:10]]


def test_bad_event_ids_are_422(world: World) -> None:
    job_id = world.submit()
    for value in ("x", "-1", "9" * 30):
        problem(world.client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": value}), 422)


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"state": "asleep"}])
def test_bad_queries_are_422(world: World, params: dict[str, Any]) -> None:
    problem(world.client.get("/v1/jobs", params=params), 422)


def test_the_rest_is_expected_to_take_as_long_as_what_is_done(world: World) -> None:
    world.executor.held = lambda candidate: candidate.origin.kind == "uniform"
    job_id = world.submit()
    thread = threading.Thread(target=world.runner.run_one)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while world.executor.holds < 2:  # then all that could end has ended
            assert time.monotonic() < deadline
            time.sleep(0.05)
        while (progress := world.get(f"/v1/jobs/{job_id}")["progress"])["running"] < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        world.runner.stop()
        thread.join()
    left = progress["total"] - progress["done"] - 1  # two run, half done on average
    assert progress["eta_seconds"] == pytest.approx(0.01 * left / 2)


def test_a_planner_that_nobody_knows_is_refused(world: World) -> None:
    answer = world.client.post("/v1/jobs", json=SPEC | {"planner": {"name": "oracle"}})
    problem(answer, 422, "there are: fixed")
    answer = world.client.post("/v1/jobs", json=SPEC | {"planner": {"name": "fixed", "options": {"depth": 3}}})
    problem(answer, 422)
    assert world.get("/v1/jobs")["items"] == []


def test_candidates_say_which_arm_they_are_of(world: World) -> None:
    job_id = world.finish()
    found = world.get(f"/v1/jobs/{job_id}/candidates")["items"]
    assert {one["arm"]["role"] for one in found} == {"parent", "reference", "automatic", "baseline"}
    assert all(one["label"] == f"{one['arm']['label']} seed {one['seed']}" for one in found)
    planned = world.client.post("/v1/jobs/plan", json=SPEC).json()["candidates"]
    assert [(one["key"], one["arm"]) for one in planned] == [(one["key"], one["arm"]) for one in found]


def test_a_failed_candidate_says_why(world: World) -> None:
    world.executor.broken = lambda one: "the loss became nan" if one.origin.kind == "uniform" else None
    job_id = world.finish()
    found = world.get(f"/v1/jobs/{job_id}/candidates")["items"]
    failed = [one for one in found if one["state"] == "failed"]
    assert {(one["origin"], one["error"], one["ran"]) for one in failed} == {("uniform", "the loss became nan", None)}
    stream = parse(world.client.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"}).text)
    told = [one["data"] for one in stream if one["data"].get("what") == "failed"]
    assert {one["candidate"] for one in told} == {one["key"] for one in failed}


def test_an_epoch_tells_its_step_and_metrics(world: World) -> None:
    job_id = world.finish()
    page = world.client.get(
        f"/v1/jobs/{job_id}/events", headers={"Accept": "application/json"}, params={"limit": 200}
    ).json()
    epoch = next(one["data"] for one in page["items"] if one["event"] == "epoch")
    assert (epoch["step"], epoch["metrics"]) == (1, {"loss": 1.0, "accuracy": 0.5})


def test_hundreds_of_requests_at_once_are_all_answered(world: World) -> None:
    """None waits for a connection that another one holds while it waits for a thread."""
    job_id = world.submit()

    async def ask(url: str) -> list[int]:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(base_url=url, headers=TOKEN, timeout=60, limits=limits) as client:
            paths = ("/v1/jobs", f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/candidates", "/v1/architectures")
            answers = await asyncio.gather(*(client.get(paths[i % len(paths)]) for i in range(300)))
        return [answer.status_code for answer in answers]

    with listening(world.client.app) as url:
        assert set(asyncio.run(ask(url))) == {200}
