"""Candidates and architectures: written once, read many ways."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from espalier.search.types import Candidate, Failure, JobSpec, Result
from espalier.storage import jobs, results
from espalier.storage.database import Database
from espalier.storage.errors import NotFound
from espalier.storage.results import Filter
from tests.search.helpers import candidate, result

SPEC = JobSpec.model_validate({"target": {"arch": "vgg11", "dataset": "digits"}})
CANDIDATES = [candidate("dense"), *(candidate("uniform", seed=s) for s in range(3)), candidate("pruned", keep=0.1)]


def job_with(
    database: Database, outcomes: Sequence[Result | Failure], candidates: Sequence[Candidate] = CANDIDATES
) -> str:
    with database.session() as session:
        job_id = jobs.submit(session, SPEC, candidates).id
    with database.session() as session:
        for one in outcomes:
            results.write(session, job_id, one)
    return job_id


@pytest.fixture
def job_id(database: Database) -> str:
    return job_with(
        database,
        [
            result(CANDIDATES[0], 0.9, 1000),
            *(result(c, 0.5 + 0.1 * i, 100, weights="f" * 64) for i, c in enumerate(CANDIDATES[1:4])),
            Failure(key=CANDIDATES[4].key, error="diverged"),
        ],
    )


def test_what_is_written_is_read_back(database: Database, job_id: str) -> None:
    with database.session() as session:
        outcomes = results.outcomes(session, job_id)
        rows = results.rows(session, job_id)
        progress = results.progress(session, [job_id])[job_id]
    assert [c for c, _ in outcomes] == CANDIDATES[:4]
    assert outcomes[0][1] == result(CANDIDATES[0], 0.9, 1000)
    assert [(row.state, row.error) for row in rows] == [("succeeded", None)] * 4 + [("failed", "diverged")]
    assert progress == (5, 0, 5, 4.0)


def test_writing_again_changes_nothing(database: Database, job_id: str) -> None:
    with database.session() as session:
        before = len(jobs.events(session, job_id, 0, 1000))
        results.write(session, job_id, result(CANDIDATES[0], 0.1, 1000))
        results.write(session, job_id, Failure(key=CANDIDATES[1].key, error="too late"))
    with database.session() as session:
        assert results.outcomes(session, job_id)[0][1].accuracy == 0.9
        assert len(jobs.events(session, job_id, 0, 1000)) == before


def test_pages_of_candidates_follow_the_plan(database: Database, job_id: str) -> None:
    with database.session() as session:
        pages = [results.page(session, job_id, offset, 2) for offset in (0, 2, 4)]
    assert [[row.key for row in page] for page in pages] == [[c.key for c in CANDIDATES[i : i + 2]] for i in (0, 2, 4)]


def test_results_are_found_again_by_key(database: Database, job_id: str) -> None:
    other = job_with(database, [])
    with database.session() as session:
        assert {r.key for r in results.known(session, other)} == {c.key for c in CANDIDATES[:4]}
        assert results.known(session, job_id) == []


def test_architectures_are_grouped_over_seeds(database: Database, job_id: str) -> None:
    with database.session() as session:
        found = results.search(session, Filter(), "accuracy", 0, 10)
    assert [(f.origin, f.n, round(f.mean, 3)) for f in found] == [("dense", 1, 0.9), ("uniform", 3, 0.6)]
    assert found[0].job_id == job_id


def test_the_same_measurement_in_two_jobs_counts_once(database: Database, job_id: str) -> None:
    del job_id
    job_with(database, [result(CANDIDATES[0], 0.9, 1000)])
    with database.session() as session:
        assert [f.n for f in results.search(session, Filter(origin="dense"), "params", 0, 10)] == [1]


def test_accuracies_under_other_recipes_or_images_are_not_averaged(database: Database, job_id: str) -> None:
    del job_id
    longer = CANDIDATES[0].model_copy(update={"recipe": CANDIDATES[0].recipe.model_copy(update={"epochs": 9})})
    others = CANDIDATES[0].model_copy(update={"data": "other"})
    job_with(database, [result(longer, 0.95, 1000), result(others, 0.2, 1000)], [longer, others])
    with database.session() as session:
        found = results.search(session, Filter(origin="dense"), "accuracy", 0, 10)
    assert [(f.mean, f.n) for f in found] == [(0.95, 1), (0.9, 1), (0.2, 1)]


@pytest.mark.parametrize(
    ("wanted", "origins"),
    [
        (Filter(origin="uniform"), ["uniform"]),
        (Filter(max_params=100), ["uniform"]),
        (Filter(max_macs=10_000), ["dense", "uniform"]),
        (Filter(min_accuracy=0.8), ["dense"]),
        (Filter(arch="vgg13"), []),
        (Filter(dataset="digits"), ["dense", "uniform"]),
        (Filter(method="slimming"), []),
    ],
)
def test_filters(database: Database, job_id: str, wanted: Filter, origins: list[str]) -> None:
    del job_id
    with database.session() as session:
        assert [f.origin for f in results.search(session, wanted, "accuracy", 0, 10)] == origins


@pytest.mark.parametrize(
    ("sort", "first"), [("accuracy", "dense"), ("params", "uniform"), ("macs", "uniform"), ("latency", "dense")]
)
def test_orders_and_offsets(database: Database, job_id: str, sort: str, first: str) -> None:
    del job_id
    with database.session() as session:
        everything = results.search(session, Filter(), sort, 0, 10)
        assert results.search(session, Filter(), sort, 1, 10) == everything[1:]
        if sort != "latency":
            assert everything[0].origin == first


def test_an_architecture_knows_every_training_of_it(database: Database, job_id: str) -> None:
    with database.session() as session:
        uniform = results.outcomes(session, job_id)[1][1].config
        row, candidates = results.architecture(session, uniform.id)
        assert results.config_of(row) == uniform
        assert results.cost_of(row) == (100, 1000)
        assert len(candidates) == 3
        assert results.best_weights(candidates) == "f" * 64
        with pytest.raises(NotFound, match="no architecture 'nothing'"):
            results.architecture(session, "nothing")


def test_what_only_one_job_uses_goes_with_it(database: Database, job_id: str) -> None:
    other = job_with(
        database,
        [result(CANDIDATES[1], 0.5, 100, weights="f" * 64), result(CANDIDATES[0], 0.9, 1000, weights="a" * 64)],
    )
    with database.session() as session:
        weights = results.weights_of(session, other)
        assert weights == {"a" * 64, "f" * 64}
        assert results.referenced_weights(session, {*weights, "0" * 64}) == weights
        jobs.cancel(session, other)
        jobs.delete(session, other)
        session.flush()
        assert results.referenced_weights(session, weights) == {"f" * 64}
        jobs.cancel(session, job_id)
        jobs.delete(session, job_id)
        session.flush()
        results.forget_unused_architectures(session)
    with database.session() as session:
        assert results.search(session, Filter(), "params", 0, 10) == []
