"""The client: values for answers, the service's own words for refusals, and patience with newer services."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from espalier.app.client.client import MOST_ON_A_PAGE, Client, ClientError, dataset_of
from espalier.app.schemas import CandidateView, EventView, JobView
from espalier.search.events import EpochEvent, StateEvent
from espalier.search.spec import Folder, JobSpec
from espalier.search.states import CandidateState, JobState
from tests.app.world import SPEC, World, connected, listening


def test_answers_are_values(world: World, client: Client) -> None:
    job = client.submit(JobSpec.model_validate(SPEC))
    assert isinstance(job, JobView)
    assert (job.state, job.spec) == (JobState.QUEUED, JobSpec.model_validate(SPEC))
    assert client.job(job.id) == client.jobs()[0] == job
    assert client.cancel(job.id).state is JobState.CANCELLED
    assert client.retry(job.id).state is JobState.QUEUED
    assert world.runner.run_one()
    found = client.candidates(job.id)
    assert all(isinstance(one, CandidateView) and one.state is CandidateState.SUCCEEDED for one in found)
    assert [one.key for one in client.plan(SPEC).candidates] == [one.key for one in found]
    assert client.pareto(job.id, "macs").cost == "macs"
    assert {one.answer for one in client.verdict(job.id).verdicts} == {"better"}
    best = client.architectures(most=1, sort="accuracy", origin="pruned")
    assert [one.origin for one in best] == ["pruned"]
    assert client.ready().status == "ok"
    assert [entry.name for entry in client.catalog("planners")] == ["fixed", "sampled"]
    assert client.describe("vgg11", shape="1,32,32", classes=5, options=None).classes == 5
    client.delete(job.id)
    assert client.jobs() == []


def test_a_key_makes_a_repeated_submission_the_same_job(client: Client) -> None:
    assert client.submit(SPEC, "once").id == client.submit(SPEC, "once").id


def test_listings_are_read_to_their_end_or_as_far_as_was_said(world: World, client: Client) -> None:
    seeds = list(range(30))
    job_id = world.submit(seeds=seeds, budgets=[{"metric": "params", "keep": k / 10} for k in (1, 2, 3, 4)])
    assert world.get(f"/v1/jobs/{job_id}")["progress"]["total"] > MOST_ON_A_PAGE
    found = client.candidates(job_id)
    assert len({one.key for one in found}) == len(found) == client.job(job_id).progress.total
    assert client.candidates(job_id, most=205) == found[:205]
    assert client.candidates(job_id, most=3) == found[:3]
    assert client.jobs(state="running") == []


def test_events_are_followed_to_the_end(world: World, client: Client) -> None:
    job_id = world.submit()
    found: list[EventView] = []
    thread = threading.Thread(target=lambda: found.extend(client.events(job_id)))
    thread.start()
    assert world.runner.run_one()
    thread.join(20)
    assert not thread.is_alive()
    assert [event.id for event in found] == sorted({event.id for event in found})
    assert found[0].data == StateEvent(state=JobState.QUEUED)
    assert found[-1].data == StateEvent(state=JobState.SUCCEEDED)
    assert sum(isinstance(event.data, EpochEvent) for event in found) == 11
    middle = found[len(found) // 2].id
    assert list(client.events(job_id, middle)) == [event for event in found if event.id > middle]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda c: c.job("nowhere"), r"Not Found \(404\): no job 'nowhere'"),
        (lambda c: list(c.events("nowhere")), r"Not Found \(404\): no job 'nowhere'"),
        (lambda c: c.submit({"target": {}}), r"Unprocessable .* \(422\): body.target.arch: Field required"),
        (lambda c: c.describe("vgg99"), "there are: lenet300"),
        (lambda c: c.job("../readyz"), "is no address of this service"),
        (lambda c: c.catalog("nothing"), "nothing is at /v1/catalog/nothing"),
    ],
)
def test_a_refusal_is_in_the_services_own_words(client: Client, ask: Any, words: str) -> None:
    with pytest.raises(ClientError, match=words):
        ask(client)


def test_nobody_there_is_said(world: World) -> None:
    del world
    with Client("http://127.0.0.1:1") as client, pytest.raises(ClientError, match=r"127\.0\.0\.1:1"):
        client.jobs()


def test_a_wrong_token_is_said(client: Client) -> None:
    with Client(client.url, "wrong") as stranger, pytest.raises(ClientError, match="a wrong token was sent"):
        stranger.jobs()
    with Client(client.url) as stranger, pytest.raises(ClientError, match="no token was sent"):
        stranger.jobs()


# --- services of other releases -----------------------------------------------------------------------------------------

ADDED = {"added": {"by": ["a", "newer release"]}}
OPEN = (
    "curve",
    "ratios",
    "metrics",
    "hypervolume",
    "hypervolume_intervals",
    "options",
    "params",
    "holdout",
    "test",
    "recipes",
)
"""Where the names of things are keys, a service adds no fields."""


def newer(value: Any) -> Any:
    """An answer as a later release would give it: more fields, everywhere."""
    if isinstance(value, list):
        return [newer(one) for one in value]
    if isinstance(value, dict):
        return {key: inner if key in OPEN else newer(inner) for key, inner in value.items()} | ADDED
    return value


def newer_service(world: World) -> Starlette:
    """The service of this test, as a later release would answer."""

    def answer(request: Request) -> Response:
        body = asked(request)
        given = world.client.request(
            request.method, request.url.path, params=dict(request.query_params), headers=body["headers"]
        )
        if given.headers["content-type"].startswith("text/event-stream"):
            return StreamingResponse(iter(events(given.text)), media_type="text/event-stream")
        return JSONResponse(newer(given.json()), given.status_code)

    def asked(request: Request) -> dict[str, Any]:
        kept = ("accept", "last-event-id")
        return {"headers": {name: value for name, value in request.headers.items() if name in kept}}

    def events(text: str) -> list[str]:
        lines = [": a comment", "retry: 3", ""]
        for line in text.splitlines():
            name, _, data = line.partition(": ")
            lines.append(f"data: {json.dumps(newer(json.loads(data)))}" if name == "data" else line)
        return [f"{line}\n" for line in lines]

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "DELETE"])])


def test_fields_that_a_newer_service_adds_are_passed_over(world: World) -> None:
    job_id = world.finish(baselines=["uniform", "random"])
    with connected(world) as plain, connected(world, newer_service(world)) as later:
        assert later.job(job_id) == plain.job(job_id)
        assert later.jobs() == plain.jobs()
        assert later.candidates(job_id) == plain.candidates(job_id)
        assert later.pareto(job_id) == plain.pareto(job_id)
        assert later.verdict(job_id) == plain.verdict(job_id)
        assert later.architectures() == plain.architectures()
        assert list(later.events(job_id)) == list(plain.events(job_id))
        assert later.describe("vgg11") == plain.describe("vgg11")
        assert later.ready() == plain.ready()


@pytest.mark.parametrize("answer", [PlainTextResponse("hello"), JSONResponse([1]), JSONResponse({"id": "x"})])
def test_something_else_that_answers_is_no_service_of_this_release(answer: Response) -> None:
    async def respond(_request: Request) -> Response:
        return answer

    app = Starlette(routes=[Route("/{path:path}", respond)])
    with (
        listening(app) as url,
        Client(url) as client,
        pytest.raises(ClientError, match=f"{url} did not answer with what"),
    ):
        client.job("x")


@pytest.mark.parametrize(
    "answer", [PlainTextResponse("no", 502), JSONResponse([], 500), JSONResponse({"detail": 1}, 404)]
)
def test_an_error_that_is_no_problem_document_is_named_by_its_number(answer: Response) -> None:
    async def respond(_request: Request) -> Response:
        return answer

    app = Starlette(routes=[Route("/{path:path}", respond)])
    with (
        listening(app) as url,
        Client(url) as client,
        pytest.raises(ClientError, match=f"HTTP {answer.status_code} from {url}"),
    ):
        client.job("x")


@pytest.mark.parametrize(
    ("text", "dataset"), [("digits", "digits"), ("folder:pets", {"folder": "pets"}), ("folder:a/b", {"folder": "a/b"})]
)
def test_a_data_set_in_one_word(text: str, dataset: Any) -> None:
    assert dataset_of(text) == dataset
    spec = JobSpec.model_validate({"target": {"arch": "vgg11", "dataset": dataset_of(text)}})
    assert spec.target.dataset_name == text
    assert isinstance(spec.target.dataset, Folder) is (text != "digits")


def test_a_front_is_a_frame_and_a_picture(world: World, client: Client) -> None:
    job_id = world.finish()
    front, frame = client.pareto(job_id, "macs"), client.frame(job_id, "macs")
    assert list(frame["macs"]) == [point.macs for point in front.points]
    assert list(frame["accuracy"]) == [point.accuracy.mean for point in front.points]
    assert frame.loc[frame["widths"] == "dense", "budget"].tolist() == [""]
    assert "multiply-adds per image" in client.plot(job_id, "macs")._repr_svg_()


def test_without_pandas_there_is_no_frame(world: World, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ClientError, match="pip install pandas"):
        client.frame(world.submit())


def test_a_program_waits_for_a_job(world: World, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = world.finish()
    assert client.wait(job_id).state == "succeeded"
    assert job_id in capsys.readouterr().out
