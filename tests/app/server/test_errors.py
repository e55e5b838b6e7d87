"""Every error is a problem document: what was wrong, what was got, and never a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from espalier.app.lanes import Busy
from espalier.app.server.errors import install, problems
from espalier.app.work.executors.base import OverLimit, TaskFailed, WorkerLost
from espalier.search.errors import SpecError
from espalier.storage.errors import IdempotencyClash, LeaseLost, NotFound, TooManyQueued, WrongState
from tests.app.world import SPEC, World, problem


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
    for path, allowed in (
        ("/v1/jobs", "GET, HEAD, POST"),
        ("/v1/jobs/x", "DELETE, GET, HEAD"),
        ("/v1/jobs/plan", "POST"),
    ):
        assert world.client.put(path).headers["allow"] == allowed


def test_validation_says_where(world: World) -> None:
    body = problem(world.client.post("/v1/jobs", json=SPEC | {"seeds": [-1]}), 422)
    assert body["errors"] == [
        {"loc": ["body", "seeds", 0], "msg": "Input should be greater than or equal to 0, got -1"}
    ]


def test_of_many_errors_some_are_listed(world: World) -> None:
    spec = SPEC | {"seeds": [-1] * 4000}
    assert len(problem(world.client.post("/v1/jobs", json=spec), 422)["errors"]) == 20


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


def test_a_database_that_fails_is_503(world: World) -> None:
    with world.service.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE jobs RENAME TO gone")
    problem(world.client.get("/v1/jobs"), 503, "try later")


def test_an_unexpected_error_shows_no_trace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from espalier.storage import jobs

    def broken(*_args: object) -> None:
        raise RuntimeError("secret internals")

    monkeypatch.setattr(jobs, "page", broken)
    body = problem(world.client.get("/v1/jobs"), 500)
    assert "secret internals" not in json.dumps(body)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (NotFound("no job 'x'"), 404, "no job 'x'"),
        (WrongState("job x is queued"), 409, "job x is queued"),
        (IdempotencyClash("the key was used"), 409, "the key was used"),
        (TooManyQueued("3 jobs are queued"), 429, "3 jobs are queued"),
        (SpecError("no such method"), 422, "no such method"),
        (Busy("16 requests already wait"), 503, "16 requests already wait"),
        (OverLimit("it took more than 300 seconds"), 422, "it took more than 300 seconds"),
        (WorkerLost("its process ended"), 503, "its process ended"),
        (LeaseLost("another has it"), 503, "another has it"),
        (TaskFailed("SpecError", "width is no option", True), 422, "width is no option"),
        (TaskFailed("RuntimeError", "secret internals", False), 500, "its log says more"),
        (DataError("SELECT 1", {}, Exception("secret internals")), 422, "NUL character"),
        (OperationalError("SELECT 1", {}, Exception("secret internals")), 503, "try later"),
        (NoConnection("pool"), 503, "all connections to the database are in use"),
        (RuntimeError("secret internals"), 500, "its log says more"),
        (NotFound("x" * 5000), 404, " …"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value)[:20],
)
def test_errors_of_the_domain_have_a_status_and_their_own_words(error: Exception, status: int, words: str) -> None:
    app = FastAPI()
    install(app, lambda _request, answer: answer)

    @app.get("/")
    def fail() -> None:
        raise error

    with TestClient(app, raise_server_exceptions=False) as client:
        body = problem(client.get("/"), status, words)
        later = client.get("/").headers.get("Retry-After")
    assert "secret internals" not in json.dumps(body)
    assert len(body["detail"]) < 2100
    assert (later is not None) == (status in (429, 503))


def test_a_status_is_described_with_the_shape_of_a_problem() -> None:
    described = problems(404, 429)
    assert described[429]["description"] == "Too Many Requests"
    assert set(described[404]["content"]) == {"application/problem+json"}


def test_every_path_says_which_methods_it_takes(world: World) -> None:
    paths = world.get("/openapi.json")["paths"]
    del paths["/v1/jobs/plan"]  # to read, that is a job of this name
    for path, operations in paths.items():
        there = {method.upper() for method in operations}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - there:
            answer = world.client.request(method, path.replace("{", "").replace("}", ""))
            problem(answer, 405, f"{method} is not for")
            assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == there, path
