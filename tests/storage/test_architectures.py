"""Architectures across jobs: grouped over seeds, filtered, ordered, and gone with the last job that has them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from espalier.search.results import Failure
from espalier.storage import architectures, candidates, jobs
from espalier.storage.architectures import Filter
from espalier.storage.database import Database
from espalier.storage.errors import NotFound
from espalier.storage.tables import ArchitectureRow
from tests.search.helpers import candidate, result
from tests.storage.helpers import submit

CANDIDATES = [candidate("dense"), *(candidate("uniform", seed=s) for s in range(3)), candidate("pruned", keep=0.1)]


@pytest.fixture
def job_id(database: Database) -> str:
    return submit(
        database,
        CANDIDATES,
        [
            result(CANDIDATES[0], 0.9, 1000),
            *(
                result(c, 0.5 + 0.1 * i, 100, artifacts={"weights": "f" * 64})
                for i, c in enumerate(CANDIDATES[1:4])
            ),
            Failure(key=CANDIDATES[4].key, error="diverged"),
        ],
    )  # fmt: skip


def test_architectures_are_grouped_over_seeds(database: Database, job_id: str) -> None:
    with database.session() as session:
        found = architectures.search(session, Filter(), "accuracy", 0, 10)
    assert [(f.origin, f.n, round(f.mean, 3)) for f in found] == [("dense", 1, 0.9), ("uniform", 3, 0.6)]
    assert found[0].job_id == job_id
    assert [(f.arm, f.arm_name, f.role) for f in found] == [
        (one.arm.id, one.arm.name, one.arm.role) for one in CANDIDATES[:2]
    ]


def test_the_same_measurement_in_two_jobs_counts_once(database: Database, job_id: str) -> None:
    del job_id
    submit(database, CANDIDATES, [result(CANDIDATES[0], 0.9, 1000)])
    with database.session() as session:
        assert [f.n for f in architectures.search(session, Filter(origin="dense"), "params", 0, 10)] == [1]


def test_accuracies_under_other_recipes_or_images_are_not_averaged(database: Database, job_id: str) -> None:
    del job_id
    longer = CANDIDATES[0].model_copy(update={"recipe": CANDIDATES[0].recipe.model_copy(update={"epochs": 9})})
    others = CANDIDATES[0].model_copy(update={"data": "other"})
    submit(database, [longer, others], [result(longer, 0.95, 1000), result(others, 0.2, 1000)])
    with database.session() as session:
        found = architectures.search(session, Filter(origin="dense"), "accuracy", 0, 10)
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
        assert [f.origin for f in architectures.search(session, wanted, "accuracy", 0, 10)] == origins


@pytest.mark.parametrize(
    ("sort", "first"), [("accuracy", "dense"), ("params", "uniform"), ("macs", "uniform"), ("latency", "dense")]
)
def test_orders_and_offsets(database: Database, job_id: str, sort: str, first: str) -> None:
    del job_id
    with database.session() as session:
        everything = architectures.search(session, Filter(), sort, 0, 10)
        assert architectures.search(session, Filter(), sort, 1, 10) == everything[1:]
        if sort != "latency":
            assert everything[0].origin == first


def test_an_architecture_knows_every_training_of_it(database: Database, job_id: str) -> None:
    with database.session() as session:
        uniform = candidates.results(session, job_id)[CANDIDATES[1].key].config
        row, found = architectures.architecture(session, uniform.id)
        assert architectures.config_of(row) == uniform
        assert architectures.cost_of(row) == (100, 1000)
        assert len(found) == 3
        assert architectures.weights_of(session, found)[0] == "f" * 64
        with pytest.raises(NotFound, match="no architecture 'nothing'"):
            architectures.architecture(session, "nothing")


def test_the_weights_handed_out_are_the_newest_jobs_and_the_best_of_it(database: Database, job_id: str) -> None:
    def kept(index: int, accuracy: float, letter: str) -> object:
        return result(CANDIDATES[index], accuracy, 100, artifacts={"log": "0" * 64, "weights": letter * 64})

    submit(database, CANDIDATES, [kept(1, 0.3, "a"), kept(2, 0.4, "b"), kept(3, 0.35, "c")])  # type: ignore[list-item]
    submit(database, CANDIDATES, [result(CANDIDATES[1], 0.99, 100, artifacts={"log": "e" * 64})])
    with database.session() as session:
        uniform = candidates.results(session, job_id)[CANDIDATES[1].key].config
        _, found = architectures.architecture(session, uniform.id)
        assert architectures.weights_of(session, found)[:3] == ["b" * 64, "c" * 64, "a" * 64]
        dense = candidates.results(session, job_id)[CANDIDATES[0].key].config
        _, found = architectures.architecture(session, dense.id)
        assert architectures.weights_of(session, found) == []
        assert architectures.weights_of(session, []) == []


def test_the_first_characters_of_an_id_may_stand_for_it(database: Database) -> None:
    with database.session() as session:
        for name in ("abcdef" + "0" * 26, "abcdef" + "1" * 26):
            session.add(ArchitectureRow(id=name, arch="vgg11", config={}, params=1, macs=1))
    with database.session() as session:
        assert architectures.architecture(session, "abcdef0")[0].id == "abcdef" + "0" * 26
        with pytest.raises(NotFound, match="more than one architecture begins with 'abcdef'; give more of its id"):
            architectures.architecture(session, "abcdef")
        for wrong in ("abcde", "abcdef2", "abcdef%", "______", ""):
            with pytest.raises(NotFound, match="no architecture"):
                architectures.architecture(session, wrong)


def test_what_only_one_job_uses_goes_with_it(database: Database, job_id: str) -> None:
    other = submit(database, CANDIDATES, [result(CANDIDATES[1], 0.5, 100), result(CANDIDATES[0], 0.9, 1000)])
    with database.session() as session:
        jobs.cancel(session, other)
        jobs.delete(session, other)
        session.flush()
        architectures.forget_unused(session)
        assert session.scalar(sa.select(sa.func.count(ArchitectureRow.id))) == 2
        jobs.cancel(session, job_id)
        jobs.delete(session, job_id)
        session.flush()
        architectures.forget_unused(session)
    with database.session() as session:
        assert architectures.search(session, Filter(), "params", 0, 10) == []
        assert session.scalar(sa.select(sa.func.count(ArchitectureRow.id))) == 0
