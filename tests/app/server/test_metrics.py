"""Numbers for Prometheus."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from prometheus_client import generate_latest

from espalier.app.server.metrics import registry
from espalier.search.results import Effort, Failure, Ledger
from espalier.search.states import CandidateState, JobState
from espalier.storage import candidates, runners
from espalier.storage.clock import now
from espalier.storage.database import Database
from espalier.storage.tables import JobRow
from tests.app.world import World
from tests.search.helpers import candidate, result
from tests.storage.helpers import submit


def test_metrics_count_jobs(world: World) -> None:
    world.finish()
    world.submit()
    text = world.client.get("/metrics").text
    assert 'espalier_jobs{state="succeeded"} 1.0' in text
    assert 'espalier_jobs{state="queued"} 1.0' in text
    assert 'espalier_candidates{state="succeeded"} 11.0' in text


def test_every_state_is_counted_even_where_there_is_nothing(database: Database) -> None:
    with database.session() as session:
        text = generate_latest(registry(session)).decode()
    for state in JobState:
        assert f'espalier_jobs{{state="{state}"}} 0.0' in text
    for state in CandidateState:
        assert f'espalier_candidates{{state="{state}"}} 0.0' in text
    assert "espalier_training_seconds 0.0" in text


def test_numbers_are_those_of_the_moment(database: Database) -> None:
    one, two = candidate("dense"), candidate("uniform")
    job_id = submit(database, [one, two])
    with database.session() as session:
        candidates.write(session, job_id, result(one, seconds=2.5))
        candidates.start(session, job_id, two)
        session.execute(sa.update(JobRow).values(state="running"))
    with database.session() as session:
        text = generate_latest(registry(session)).decode()
    for words in (
        'espalier_jobs{state="running"} 1.0',
        'espalier_candidates{state="succeeded"} 1.0',
        'espalier_candidates{state="running"} 1.0',
        "espalier_training_seconds 2.5",
    ):
        assert words in text


def test_the_queue_runners_failures_and_pace_are_told(database: Database) -> None:
    one, two = candidate("dense"), candidate("uniform")
    effort = Effort(epochs=1, images=600, macs=10, seconds=3.0)
    job_id = submit(database, [one, two])
    with database.session() as session:
        candidates.write(session, job_id, result(one, seconds=3.0, ledger=Ledger(own=effort, pipeline=effort)))
        candidates.write(session, job_id, Failure(key=two.key, error="nan", kind="diverged"))
        runners.heartbeat(session, "me")
        session.execute(sa.update(JobRow).values(created_at=now() - timedelta(seconds=90), started_at=now()))
    with database.session() as session:
        text = generate_latest(registry(session)).decode()
    told = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert 90 <= float(told["espalier_queue_seconds"]) < 120
    assert told["espalier_runners"] == "1.0"
    assert told['espalier_failures{kind="diverged",origin="uniform"}'] == "1.0"
    assert told["espalier_images_per_second"] == "200.0"
    assert told["espalier_seconds_per_candidate"] == "3.0"


def test_requests_are_timed_by_route_and_nobodys_words_are_in_a_label(world: World) -> None:
    job_id = world.finish()
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}", "/v1/jobs/no<script>", "/nowhere/at-all"):
        world.client.get(path)
    world.client.get("/healthz", headers={"Authorization": ""})
    text = world.client.get("/metrics").text
    assert 'espalier_request_seconds_count{method="GET",route="/v1/jobs/{job_id}",status="200"} 2.0' in text
    assert 'espalier_request_seconds_count{method="GET",route="/v1/jobs/{job_id}",status="404"} 1.0' in text
    assert job_id not in text
    assert "<script" not in text
    assert "at-all" not in text
    assert 'route="none",status="404"' in text


def test_a_method_that_nobody_knows_makes_no_label_of_its_own(world: World) -> None:
    for word in ("BREW", "WHEN"):
        world.client.request(word, "/v1/jobs")
    text = world.client.get("/metrics").text
    assert "BREW" not in text
    assert 'method="other"' in text


def test_statements_are_timed_and_the_process_is_told_of(world: World) -> None:
    world.client.get("/v1/jobs")
    text = world.client.get("/metrics").text
    told = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(told["espalier_database_seconds_count"]) > 0
    assert float(told["process_resident_memory_bytes"]) > 1e6


def test_streams_of_events_are_no_requests_that_take_hours(world: World) -> None:
    job_id = world.finish()
    with world.client.stream("GET", f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for _ in stream.iter_lines():
            pass
    assert "/events" not in world.client.get("/metrics").text
