"""What comparisons read of a job is what its results say, and costs a query or two."""

from __future__ import annotations

import sqlalchemy as sa

from espalier.search.answers.verdict import answer
from espalier.search.comparable import Brief
from espalier.storage import candidates, jobs, measurements
from espalier.storage.database import Database
from espalier.storage.tables import MeasurementRow
from tests.search.helpers import candidate, result
from tests.storage.helpers import submit

PARENT = candidate("sparse")
CANDIDATES = [
    PARENT,
    *(candidate("dense", seed=seed) for seed in (0, 1)),
    *(candidate("pruned", seed=seed).model_copy(update={"needs": {"parent": PARENT.key}}) for seed in (0, 1)),
    *(candidate("uniform", seed=seed) for seed in (0, 1)),
]
RESULTS = [result(one, 0.5 + place / 100, 1000 + place) for place, one in enumerate(CANDIDATES)]


def test_they_are_the_jobs_candidates_in_order_with_what_results_say(database: Database) -> None:
    job_id = submit(database, CANDIDATES, RESULTS[::-1])
    with database.session() as session:
        found = measurements.of_job(session, job_id)
    assert [one for one, _ in found] == CANDIDATES
    assert [(one.key, one.arm, one.label, one.needs) for one, _ in found] == [
        (one.key, one.arm, one.label, one.needs) for one in CANDIDATES
    ]
    assert [brief for _, brief in found] == [Brief.of(one) for one in RESULTS]
    assert answer(found) == answer([*zip(CANDIDATES, RESULTS, strict=True)])


def test_what_has_no_result_is_not_there(database: Database) -> None:
    job_id = submit(database, CANDIDATES, RESULTS[3:5])
    with database.session() as session:
        assert [one.key for one, _ in measurements.of_job(session, job_id)] == [one.key for one in CANDIDATES[3:5]]
        assert measurements.of_job(session, "nothing") == []


def test_a_result_that_is_made_again_takes_the_place_of_the_first(database: Database) -> None:
    job_id = submit(database, CANDIDATES[:1], RESULTS[:1])
    with database.session() as session:
        candidates.start(session, job_id, PARENT)
        candidates.write(session, job_id, result(PARENT, 0.25, 7))
    with database.session() as session:
        ((_, brief),) = measurements.of_job(session, job_id)
    assert (brief.reported, brief.counted.params) == (0.25, 7)


def test_they_go_with_their_job(database: Database) -> None:
    job_id = submit(database, CANDIDATES, RESULTS)
    with database.session() as session:
        jobs.cancel(session, job_id)
        jobs.delete(session, job_id)
    with database.session() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(MeasurementRow)) == 0


def test_however_many_there_are_it_takes_two_queries(database: Database) -> None:
    job_id = submit(database, CANDIDATES, RESULTS)
    asked: list[str] = []
    with database.session() as session:
        sa.event.listen(session.get_bind(), "before_cursor_execute", lambda *told: asked.append(told[2]))
        measurements.of_job(session, job_id)
    assert len(asked) == 2
    assert not any("result" in one for one in asked), "whole results are not read"
