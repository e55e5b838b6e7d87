"""Numbers for Prometheus."""

from __future__ import annotations

import sqlalchemy as sa
from prometheus_client import generate_latest

from espalier.app.server.metrics import registry
from espalier.search.states import CandidateState, JobState
from espalier.storage import candidates
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
