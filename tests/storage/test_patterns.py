"""The library: what jobs found stays when they are gone, with what following it did."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from espalier.search.answers.patterns import guides_of
from espalier.search.candidates import Candidate
from espalier.search.spec import JobSpec
from espalier.storage import candidates, jobs, patterns
from espalier.storage.database import Database
from espalier.storage.errors import NotFound
from espalier.storage.tables import JobRow, PatternRow
from tests.search.helpers import planned, question, result

LEAST: dict[str, Any] = {
    "target": {"arch": "vgg11", "dataset": "digits"},
    "budgets": [{"metric": "params", "keep": 0.5}],
    "baselines": ["uniform"],
    "seeds": [0, 1, 2],
}
ACCURACY = {"pruned": 0.8, "guided": 0.8, "uniform": 0.6}


def ran(database: Database, accuracy: dict[str, float] = ACCURACY, **changes: Any) -> str:
    """A job with results for all its candidates, remembered; its id."""
    spec = JobSpec.model_validate(LEAST | changes)

    def outcome(one: Candidate) -> Any:
        return result(one, accuracy.get(one.origin.kind, 0.5) + one.seed / 100, params=400 + one.seed)

    with database.session() as session:
        job_id = jobs.submit(session, spec, question(spec), planned(spec)).id
        for one in planned(spec):
            candidates.write(session, job_id, outcome(one))
        patterns.remember(session, job_id)
    return job_id


def following(database: Database, job_id: str) -> list[Any]:
    with database.session() as session:
        return guides_of(patterns.of_job(session, job_id), "found", job_id)


def test_what_a_job_found_is_known_by_its_id(database: Database) -> None:
    job_id = ran(database, recipe={"preset": "quick", "epochs": 7})
    with database.session() as session:
        (found,) = patterns.of_job(session, job_id).patterns
        known = patterns.get(session, found.id(job_id))
        assert [one.id for one in patterns.ranked(session)] == [known.id]
        assert patterns.get(session, known.id[:8]) == known
        for wrong in ("none", known.id[:5], known.id + "0", "%" * 16):
            with pytest.raises(NotFound, match=f"no pattern '{wrong}'"):
                patterns.get(session, wrong)
    assert (known.pattern, known.job, known.target.arch, known.record) == (found, job_id, "vgg11", ())
    assert known.pattern.keep == pytest.approx((0.401,))
    assert known.provenance is not None
    assert (known.provenance.recipe.preset, known.provenance.releases) == ("quick", ("0",))
    assert str(known.provenance) == "recipe preset=quick, epochs=7; Espalier 0"
    with database.session() as session:
        session.execute(sa.update(PatternRow).values(provenance=None))
        assert patterns.get(session, known.id).provenance is None, "as an earlier release wrote it"


def test_what_following_it_did_is_known_too_and_outlives_both_jobs(database: Database) -> None:
    first = ran(database)
    for name, accuracy in (("good", ACCURACY), ("bad", ACCURACY | {"guided": 0.4})):
        ran(database, accuracy, name=name, methods=[], guides=following(database, first))
    with database.session() as session:
        session.execute(sa.delete(JobRow))
    with database.session() as session:
        (known,) = patterns.ranked(session)
    assert sorted((one.against, one.answer) for one in known.record) == [("uniform", "better"), ("uniform", "worse")]


def test_a_job_that_is_run_again_takes_the_place_of_what_it_said_before(database: Database) -> None:
    first = ran(database)
    second = ran(database, methods=[], guides=following(database, first))
    with database.session() as session:
        for job_id in (first, second, first):
            patterns.remember(session, job_id)
    with database.session() as session:
        (known,) = patterns.ranked(session)
    assert len(known.record) == 1


def test_those_that_did_well_there_come_first_and_of_equal_ones_the_newest(database: Database) -> None:
    old, new = ran(database, name="old"), ran(database, name="new")
    other = ran(database, target={"arch": "vgg16", "dataset": "digits"})

    def order(**place: str) -> list[str]:
        with database.session() as session:
            return [one.job for one in patterns.ranked(session, **place)]

    assert order() == [other, new, old]
    assert order(arch="vgg11", dataset="digits") == [new, old, other]
    ran(database, methods=[], guides=following(database, old))
    assert order(arch="vgg11", dataset="digits") == [old, new, other]
    assert order(arch="vgg16") == [other, old, new], "it did well on another network"


def test_jobs_of_before_found_nothing(database: Database) -> None:
    job_id = ran(database)
    with database.session() as session:
        session.execute(sa.update(JobRow).values(question=None))
    with database.session() as session:
        assert patterns.of_job(session, job_id).patterns == ()
        patterns.remember(session, job_id)
    with database.session() as session:
        assert patterns.ranked(session) == []
