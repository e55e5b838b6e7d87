"""What is said of a job is worked out once, and anew as soon as something changes in it."""

from __future__ import annotations

import pytest

from espalier.app import answers as module
from espalier.app.answers import Answers
from espalier.search.events import EpochEvent
from espalier.search.results import Failure, Latency
from espalier.storage import candidates, events, jobs
from espalier.storage.database import Database
from espalier.storage.errors import NotFound
from tests.search.helpers import candidate, result
from tests.storage.helpers import submit

CANDIDATES = [
    *(candidate("dense", seed=seed) for seed in (0, 1)),
    *(candidate("pruned", seed=seed) for seed in (0, 1)),
    *(candidate("uniform", seed=seed) for seed in (0, 1)),
]
RESULTS = [result(one, 0.5 + place / 100, 1000 + place) for place, one in enumerate(CANDIDATES)]


def test_an_answer_is_worked_out_once(database: Database) -> None:
    job_id = submit(database, CANDIDATES, RESULTS)
    known = Answers(database)
    first = known.of(job_id)
    assert known.of(job_id) is first
    assert first.front("params") is first.front("params")
    assert first.verdict is first.verdict
    assert first.front("macs").cost == "macs"
    assert len(first.stored.outcomes) == 6
    with pytest.raises(NotFound):
        known.of("nothing")


def test_a_result_a_failure_and_a_retry_change_it_and_an_epoch_does_not(database: Database) -> None:
    job_id = submit(database, CANDIDATES, RESULTS[:4])
    known = Answers(database)
    before = known.of(job_id)
    assert len(before.stored.outcomes) == 4
    with database.session() as session:
        told = {"candidate": CANDIDATES[4].key, "label": "uniform", "epoch": 0, "epochs": 3, "loss": 1, "accuracy": 0.1}
        events.record(session, job_id, EpochEvent.model_validate(told))
    assert known.of(job_id) is before
    with database.session() as session:
        candidates.write(session, job_id, RESULTS[4])
    after = known.of(job_id)
    assert [len(one.stored.outcomes) for one in (before, after)] == [4, 5]
    with database.session() as session:
        candidates.write(session, job_id, Failure(key=CANDIDATES[5].key, error="diverged"))
    assert [one.key for one in known.of(job_id).stored.failed] == [CANDIDATES[5].key]
    with database.session() as session:
        jobs.cancel(session, job_id)
        jobs.retry(session, job_id)
    assert known.of(job_id).stored.failed == []


def test_latencies_count_once_the_job_has_ended(database: Database) -> None:
    job_id = submit(database, CANDIDATES, RESULTS)
    known = Answers(database)
    assert not known.of(job_id).front("latency").points[0].latency
    with database.session() as session:
        measured = Latency(images=1, threads=1, machine="m", median_ms=7.0, quartiles_ms=(6.0, 8.0), runs=9)
        jobs.remember_latencies(session, job_id, {one.architecture: (measured,) for one in RESULTS})
        jobs.cancel(session, job_id)
    assert {point.latency_ms for point in known.of(job_id).front("latency").points} == {7.0}


def test_no_more_is_kept_than_is_allowed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 15)
    ids = [submit(database, CANDIDATES, RESULTS) for _ in range(3)]
    known = Answers(database)
    first, second, third = (known.of(one) for one in ids)
    assert known.of(ids[2]) is third
    assert known.of(ids[1]) is second
    assert known.of(ids[0]) is not first, "three of seven do not go into fifteen"
