"""The HTTP contract: every route, every error as a problem document, nothing stored or started by what is refused."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from espalier.app import body
from espalier.app.body import parse_spec
from espalier.app.main import create_app
from espalier.app.runner import Runner
from espalier.app.service import Service
from espalier.app.settings import Settings
from espalier.models.weights import packed
from espalier.search.types import JobSpec
from espalier.storage.artifacts import Artifacts
from espalier.storage.database import Database
from espalier.storage.tables import ArchitectureRow
from tests.app.fakes import FakeExecutor

SPEC: dict[str, Any] = {
    "target": {"arch": "vgg11", "dataset": "digits"},
    "seeds": [0, 1],
    "budgets": [{"metric": "params", "keep": 0.1}, {"metric": "params", "keep": 0.5}],
}
TOKEN = {"Authorization": "Bearer secret"}


class World:
    """A service on SQLite with a fake executor, a client, and a runner that runs when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, max_queued_jobs=3)
        self.executor = FakeExecutor()
        self.service = Service(self.settings, self.executor, "secret")
        self.service.database.upgrade()
        self.runner = Runner(
            Database(self.settings.url),
            Artifacts(self.settings.artifacts),
            self.executor,
            self.service.places,
            self.settings.work,
        )
        self.client = TestClient(create_app(self.service), headers=TOKEN, raise_server_exceptions=False)

    def submit(self, **changes: Any) -> str:
        answer = self.client.post("/v1/jobs", json=SPEC | changes)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def finish(self, **changes: Any) -> str:
        job_id = self.submit(**changes)
        assert self.runner.run_one()
        return job_id

    def get(self, path: str, **params: Any) -> Any:
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.client.close()
    world.service.close()


def problem(answer: Any, status: int, *words: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= set(body)
    assert body["status"] == status
    assert "Traceback" not in answer.text
    for word in words:
        assert word in body["detail"]
    return body


# --- jobs -----------------------------------------------------------------------------------------------------------


def test_a_submitted_job_is_found_where_it_says(world: World) -> None:
    answer = world.client.post("/v1/jobs", json=SPEC)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert world.get(answer.headers["location"]) == job
    assert (job["state"], job["name"], job["attempts"]) == ("queued", "vgg11 on digits", 0)
    assert job["progress"] == {"done": 0, "running": 0, "total": 11, "fraction": 0.0, "eta_seconds": None}
    assert job["spec"]["target"]["arch"] == "vgg11"


def test_a_finished_job_has_everything_to_show(world: World) -> None:
    job_id = world.finish(baselines=["uniform", "random"])
    job = world.get(f"/v1/jobs/{job_id}")
    assert (job["state"], job["progress"]["fraction"]) == ("succeeded", 1.0)
    front = world.get(f"/v1/jobs/{job_id}/pareto", cost="macs")
    assert front["cost"] == "macs"
    assert front["dense"]["params"] == 1000
    assert {
        "architecture",
        "origin",
        "method",
        "budget",
        "init",
        "params",
        "macs",
        "latency_ms",
        "accuracy",
        "on_front",
        "dominated_by",
    } <= set(front["points"][0])
    assert set(front["hypervolume"]) == {"slimming", "uniform", "random"}
    verdict = world.get(f"/v1/jobs/{job_id}/verdict")
    assert {v["answer"] for v in verdict["verdicts"]} == {"better"}
    assert {(e["against"], e["metric"]) for e in verdict["efficiency"]} == {
        (b, m) for b in ("uniform", "random") for m in ("params", "macs")
    }
    assert "slimming is better than uniform" in verdict["summary"]
    candidates = world.get(f"/v1/jobs/{job_id}/candidates")["items"]
    assert len(candidates) == 15
    assert {c["state"] for c in candidates} == {"succeeded"}


def test_front_and_verdict_work_before_there_is_anything(world: World) -> None:
    job_id = world.submit()
    assert world.get(f"/v1/jobs/{job_id}/pareto")["points"] == []
    assert world.get(f"/v1/jobs/{job_id}/verdict")["verdicts"] == []


def test_a_plan_is_shown_and_nothing_is_stored(world: World) -> None:
    answer = world.client.post("/v1/jobs/plan", json=SPEC).json()
    assert len(answer["candidates"]) == 11
    assert set(answer) == {"candidates", "dense", "epochs", "macs"}
    assert world.get("/v1/jobs")["items"] == []


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
    assert not [path for path in world.settings.artifacts.rglob("*") if path.is_file()]


def test_deleting_keeps_what_another_job_uses(world: World) -> None:
    first, second = world.finish(), world.finish(name="again")
    assert world.client.delete(f"/v1/jobs/{first}").status_code == 204
    found = world.get("/v1/architectures")["items"]
    assert {item["job"] for item in found} == {second}
    assert [path for path in world.settings.artifacts.rglob("*") if path.is_file()]


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
    problem(world.client.post("/v1/jobs", json=SPEC), 429, "3 jobs are queued")


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
    assert {e["event"] for e in events} == {"state", "candidate", "epoch"}
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


# --- results --------------------------------------------------------------------------------------------------------


def test_architectures_across_jobs(world: World) -> None:
    world.finish()
    found = world.get("/v1/architectures", sort="params")["items"]
    assert [item["params"] for item in found] == sorted(item["params"] for item in found)
    best = world.get("/v1/architectures", sort="accuracy", origin="pruned", limit=1)
    assert best["items"][0]["accuracy"]["n"] == 2
    assert best["next_cursor"] is not None
    assert world.get("/v1/architectures", min_accuracy=0.99)["items"] == []


def test_unknown_things_are_404(world: World) -> None:
    for path in ("/v1/jobs/x", "/v1/jobs/x/pareto", "/v1/jobs/x/verdict", "/v1/jobs/x/events", "/v1/jobs/x/candidates",
                 "/v1/architectures/x", "/v1/architectures/x/export", "/v1/nothing", "/nothing"):  # fmt: skip
        problem(world.client.get(path), 404)
    for path in ("/v1/jobs/x/cancel", "/v1/jobs/x/retry"):
        problem(world.client.post(path), 404)
    problem(world.client.delete("/v1/jobs/x"), 404)
    problem(world.client.get("/v1/catalog/architectures/vgg99"), 404, "there are: lenet300")


def test_wrong_methods_are_405(world: World) -> None:
    for method, path in (
        ("PUT", "/v1/jobs"),
        ("DELETE", "/v1/jobs"),
        ("POST", "/v1/architectures"),
        ("PUT", "/v1/jobs/plan"),
    ):
        problem(world.client.request(method, path), 405)


# --- the catalog ----------------------------------------------------------------------------------------------------


def test_the_catalog_lists_and_describes(world: World) -> None:
    for kind, name in (
        ("architectures", "resnet20"),
        ("datasets", "digits"),
        ("methods", "slimming"),
        ("exports", "python"),
    ):
        entries = world.get(f"/v1/catalog/{kind}")
        assert name in [entry["name"] for entry in entries]
        assert all(entry["description"] for entry in entries)
    about = world.get("/v1/catalog/architectures/vgg11", classes=5, shape="1,32,32", options='{"width": 0.5}')
    assert (about["classes"], about["shape"]) == (5, [1, 32, 32])
    assert about["prunable"] == pytest.approx({"params": 1.0, "macs": 1.0}, abs=1e-4)
    assert about["groups"][0] == {
        "name": "features.0",
        "width": 32,
        "floor": 4,
        "stage": 0,
        "layers": ["features.0", "features.1", "features.4"],
    }
    assert about["frozen"] == [{"layer": "classifier", "reason": "network output"}]


@pytest.mark.parametrize(
    ("name", "frozen"),
    [
        ("preresnet20", "which selects from it"),
        ("torchvision/convnext_tiny", "normalises over channels"),
        ("torchvision/shufflenet_v2_x0_5", "view rearranges channels"),
    ],
)
def test_the_catalog_says_why_layers_stay_dense(world: World, name: str, frozen: str) -> None:
    about = world.get(f"/v1/catalog/architectures/{name}", shape="3,32,32")
    assert 0.7 < about["prunable"]["params"] < 1
    assert any(frozen in layer["reason"] for layer in about["frozen"])


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"shape": "3,32"}, "channels,height,width"),
        ({"shape": "a,b,c"}, "for example 3,32,32"),
        ({"shape": "3,4,4"}, "cannot take an input"),
        ({"classes": 0}, "classes"),
        ({"options": "{"}, "a JSON object"),
        ({"options": "[]"}, "a JSON object"),
        ({"options": '{"width": NaN}'}, "a JSON object"),
        ({"options": '{"width": 1e999}'}, "a JSON object"),
        ({"options": "[" * 1900}, "a JSON object"),
        ({"options": '{"depth": 3}'}, "there are: width"),
    ],
)
def test_bad_questions_to_the_catalog_are_422(world: World, params: dict[str, Any], word: str) -> None:
    problem(world.client.get("/v1/catalog/architectures/vgg11", params=params), 422, word)


# --- bad input ------------------------------------------------------------------------------------------------------

BAD_SPECS: list[tuple[Any, int]] = [
    ("{", 400),
    ("", 422),
    ("[]", 422),
    ("null", 422),
    ('{"target": {"arch": "vgg11", "dataset": "digits"}, "floor": NaN}', 422),
    ('{"target": {"arch": "vgg11", "dataset": "digits"}, "floor": 1e999}', 422),
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


def test_validation_says_where(world: World) -> None:
    body = problem(world.client.post("/v1/jobs", json=SPEC | {"seeds": [-1]}), 422)
    assert body["errors"] == [
        {"loc": ["body", "seeds", 0], "msg": "Input should be greater than or equal to 0, got -1"}
    ]


def test_other_media_types_are_refused(world: World) -> None:
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = world.client.post("/v1/jobs", content=json.dumps(SPEC), headers={"Content-Type": media})
        problem(answer, 422, "Content-Type: application/json", media)


def test_a_body_above_a_mebibyte_is_413(world: World) -> None:
    large = b" " * (1024 * 1024 + 1)
    problem(world.client.post("/v1/jobs", content=large), 413, "1,048,576")

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    problem(world.client.post("/v1/jobs", content=pieces()), 413)
    problem(
        world.client.post("/v1/jobs", content=b" " * (1024 * 1024), headers={"Content-Type": "application/json"}), 400
    )


@pytest.mark.parametrize("cursor", ["x", "????", "bm90IGEgbnVtYmVy", "LTE", "W10", "dHJ1ZQ", "é"])
def test_a_cursor_no_page_gave_out_is_422(world: World, cursor: str) -> None:
    problem(world.client.get("/v1/jobs", params={"cursor": cursor}), 422, "cursor")


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"state": "asleep"}])
def test_bad_queries_are_422(world: World, params: dict[str, Any]) -> None:
    problem(world.client.get("/v1/jobs", params=params), 422)


def test_bad_event_ids_are_422(world: World) -> None:
    job_id = world.submit()
    for value in ("x", "-1", "9" * 30):
        problem(world.client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": value}), 422)


# --- authentication and operations ----------------------------------------------------------------------------------


def test_everything_but_health_and_docs_wants_the_token(world: World) -> None:
    routes = list(world.client.app.openapi()["paths"].items())  # type: ignore[attr-defined]
    open_to_all = {"/healthz", "/readyz"}
    for path, operations in routes:
        for method in operations:
            for headers in (
                {"Authorization": ""},
                {"Authorization": "Bearer wrong"},
                {"Authorization": "Basic secret"},
            ):
                answer = world.client.request(method, path.replace("{", "").replace("}", ""), headers=headers)
                if path in open_to_all:
                    assert answer.status_code != 401
                else:
                    assert problem(answer, 401)["detail"].endswith("send 'Authorization: Bearer <token>'")
                    assert answer.headers["www-authenticate"] == "Bearer"
    assert world.client.get("/openapi.json", headers={"Authorization": ""}).status_code == 401
    assert world.client.get("/docs", headers={"Authorization": ""}).status_code == 200


def test_a_token_in_the_address_becomes_a_cookie(world: World) -> None:
    fresh = TestClient(world.client.app, follow_redirects=False)
    answer = fresh.get("/?token=secret")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert fresh.get("/v1/jobs").status_code == 200
    assert "set-cookie" not in TestClient(world.client.app, follow_redirects=False).get("/?token=wrong").headers


def test_an_empty_token_opens_nothing(world: World) -> None:
    world.service.token = ""
    client = TestClient(create_app(world.service))
    problem(client.get("/v1/jobs", headers={"Authorization": ""}), 401)
    problem(client.get("/v1/jobs", headers={"Authorization": "Bearer "}), 401)


def test_the_token_is_asked_for_before_the_body_is_read(world: World) -> None:
    wrong = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
    for content in (b"{", b" " * (2 * 1024 * 1024)):
        problem(world.client.post("/v1/jobs", content=content, headers=wrong), 401)


def test_readiness_says_what_is_missing(world: World) -> None:
    problem(world.client.get("/readyz"), 503, "no runner is alive")
    world.runner.run_one()
    assert world.get("/readyz") == {"status": "ok"}
    with world.service.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE espalier_version SET version_num = '0'")
    problem(world.client.get("/readyz"), 503, "not migrated")


def test_the_documentation_needs_neither_a_token_nor_the_internet(world: World) -> None:
    page = world.client.get("/docs", headers={"Authorization": ""}).text
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(files) == 3
    for file in files:
        assert file.startswith("/static/"), file
        assert world.client.get(file, headers={"Authorization": ""}).status_code == 200


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


def test_of_many_errors_some_are_listed(world: World) -> None:
    spec = SPEC | {"seeds": [-1] * 4000}
    assert len(problem(world.client.post("/v1/jobs", json=spec), 422)["errors"]) == 20


def test_specs_are_read_beside_the_event_loop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(content: bytes, media_type: str) -> JobSpec:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return parse_spec(content, media_type)

    monkeypatch.setattr(body, "parse_spec", parse)
    world.submit()
    assert world.client.post("/v1/jobs/plan", json=SPEC).status_code == 200


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


def test_metrics_count_jobs(world: World) -> None:
    world.finish()
    world.submit()
    text = world.client.get("/metrics").text
    assert 'espalier_jobs{state="succeeded"} 1.0' in text
    assert 'espalier_jobs{state="queued"} 1.0' in text
    assert 'espalier_candidates{state="succeeded"} 11.0' in text


def test_the_document_describes_every_route_and_error(world: World) -> None:
    document = world.get("/openapi.json")
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["operationId"], f"{method} {path}"
            assert operation["summary"] or operation["description"]
            for status, response in operation["responses"].items():
                if status.startswith(("4", "5")):
                    assert "application/problem+json" in response["content"], f"{method} {path} {status}"
            if path.startswith("/v1"):
                assert "401" in operation["responses"]
    ids = [o["operationId"] for operations in document["paths"].values() for o in operations.values()]
    assert len(ids) == len(set(ids))


def test_a_database_that_fails_is_503(world: World) -> None:
    with world.service.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE jobs RENAME TO gone")
    problem(world.client.get("/v1/jobs"), 503, "try later")


def test_an_architecture_shows_its_layers_and_leaves_as_a_file(world: World, real: Any) -> None:
    job_id = world.submit(budgets=[{"metric": "params", "keep": 0.1}])
    config, cost = real
    with world.service.database.session() as session:
        from espalier.search.types import Candidate
        from espalier.storage import results
        from tests.search.helpers import result

        row = results.rows(session, job_id)[1]
        weights = world.service.artifacts.put(packed({}, {}))
        done = result(Candidate.model_validate(row.candidate), 0.9, config=config, cost=cost, weights=weights)
        results.write(session, job_id, done)
    about = world.get(f"/v1/architectures/{config.id}")
    assert about["cost"] == cost._asdict()
    assert sum(layer["params"] for layer in about["layers"]) == cost.params
    assert about["layers"][0]["kernel"] == [3, 3]
    assert about["accuracy"][0]["accuracy"]["mean"] == 0.9
    assert about["results"][0]["has_weights"] is True
    path = f"/v1/architectures/{config.id}/export"
    for format, suffix in (("json", "json"), ("yaml", "yaml"), ("csv", "csv"), ("python", "py")):
        answer = world.client.get(path, params={"format": format})
        assert answer.status_code == 200
        assert answer.headers["content-disposition"] == f'attachment; filename="vgg11-{config.id[:8]}.{suffix}"'
        for tag in (answer.headers["etag"], "*"):
            again = world.client.get(path, params={"format": format}, headers={"If-None-Match": tag})
            assert (again.status_code, again.content) == (304, b"")
    problem(world.client.get(path, params={"format": "pickle"}), 422, "there are: json, yaml")
    short = world.client.get(f"/v1/architectures/{config.id[:10]}/export")  # as tables show it
    assert (short.content, short.headers["etag"]) == ((whole := world.client.get(path)).content, whole.headers["etag"])
    assert world.get(f"/v1/architectures/{config.id[:6]}") == about
    for wrong in (config.id[:5], config.id[:9] + "%", config.id + "0", ""):
        problem(world.client.get(f"/v1/architectures/{wrong}/export"), 404)


def test_an_id_that_is_too_short_for_one_architecture_says_so(world: World) -> None:
    with world.service.database.session() as session:
        for last in "01":
            row = ArchitectureRow(id="abcdef" + last * 26, arch="vgg11", config={}, params=1, macs=1)
            session.add(row)
    problem(world.client.get("/v1/architectures/abcdef"), 404, "more than one architecture begins with")


@pytest.fixture
def real() -> Any:
    from espalier.models.cost import cost
    from espalier.models.network import dense

    config = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
    return config, cost(config)


def test_an_unexpected_error_shows_no_trace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from espalier.storage import jobs

    def broken(*_args: object) -> None:
        raise RuntimeError("secret internals")

    monkeypatch.setattr(jobs, "page", broken)
    body = problem(world.client.get("/v1/jobs"), 500)
    assert "secret internals" not in json.dumps(body)
