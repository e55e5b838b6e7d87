"""What is said of architectures across jobs follows from their candidates, whatever happens to those."""

from __future__ import annotations

import sqlalchemy as sa

from espalier.search.results import Failure
from espalier.storage import candidates, findings, jobs
from espalier.storage.architectures import Filter, Found, search
from espalier.storage.database import Database
from espalier.storage.tables import FindingRow
from tests.search.helpers import candidate, result
from tests.storage.helpers import submit

UNIFORM = [candidate("uniform", seed=seed) for seed in (0, 1, 2)]
DENSE = candidate("dense")


def found(database: Database) -> list[Found]:
    with database.session() as session:
        return search(session, Filter(), "accuracy", 0, 100)


def test_seeds_are_one_line_and_the_same_training_in_two_jobs_counts_once(database: Database) -> None:
    submit(database, UNIFORM[:2], [result(UNIFORM[0], 0.5, 100), result(UNIFORM[1], 0.7, 100)])
    second = submit(database, UNIFORM, [result(UNIFORM[0], 0.5, 100), result(UNIFORM[2], 0.9, 100)])
    (one,) = found(database)
    assert one.n == 3
    assert abs(one.mean - 0.7) < 1e-12
    assert abs(one.square - (0.25 + 0.49 + 0.81) / 3) < 1e-12
    with database.session() as session:
        jobs.cancel(session, second)
        jobs.delete(session, second)
    (one,) = found(database)
    assert (one.n, round(one.mean, 12)) == (2, 0.6)


def test_a_job_that_is_deleted_leaves_nothing_of_its_own(database: Database) -> None:
    job_id = submit(database, UNIFORM[:1], [result(UNIFORM[0], 0.5, 100)])
    with database.session() as session:
        jobs.cancel(session, job_id)
        jobs.delete(session, job_id)
    assert found(database) == []


def test_what_fails_when_it_is_trained_again_is_no_finding_any_more(database: Database) -> None:
    job_id = submit(database, UNIFORM[:2], [result(one, 0.5, 100) for one in UNIFORM[:2]])
    with database.session() as session:
        candidates.start(session, job_id, UNIFORM[0])
        candidates.write(session, job_id, Failure(key=UNIFORM[0].key, error="its disk is full"))
    assert [one.n for one in found(database)] == [1]


def test_latencies_that_are_measured_later_are_said(database: Database) -> None:
    one = result(DENSE, 0.5, 100)
    job_id = submit(database, [DENSE], [one])
    with database.session() as session:
        candidates.correct_latencies(session, job_id, {one.architecture: 42.0})
    assert [line.latency_ms for line in found(database)] == [42.0]


def test_saying_it_again_changes_nothing(database: Database) -> None:
    job_id = submit(database, [*UNIFORM, DENSE], [result(one, 0.5, 100) for one in (*UNIFORM, DENSE)])
    before = found(database)
    assert len(before) == 2
    with database.session() as session:
        findings.refresh(session, findings.places_of(session, job_id))
    assert found(database) == before


def test_a_place_that_nothing_is_known_of_gets_no_line(database: Database) -> None:
    with database.session() as session:
        findings.refresh(session, [("nothing", "nowhere")])
        assert session.scalar(sa.select(sa.func.count()).select_from(FindingRow)) == 0


def test_what_is_trained_again_to_another_network_leaves_the_first(database: Database) -> None:
    job_id = submit(database, UNIFORM[:1], [result(UNIFORM[0], 0.5, 100)])
    with database.session() as session:
        candidates.start(session, job_id, UNIFORM[0])
        candidates.write(session, job_id, result(UNIFORM[0], 0.6, 90))
    assert [(one.params, one.mean) for one in found(database)] == [(90, 0.6)]
