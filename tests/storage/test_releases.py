"""A database of the first release is upgraded with everything in it, and says what that release said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from espalier.search.answers.front import pareto
from espalier.search.answers.values import CostName, Pareto
from espalier.search.answers.verdict import answer
from espalier.search.events import CandidateFailed, EpochEvent, StateEvent
from espalier.search.results import Failure, Result
from espalier.search.spec import JobSpec
from espalier.search.states import JobState
from espalier.storage import architectures, candidates, events, jobs, measurements
from espalier.storage.database import Database
from espalier.storage.studies import Studies
from espalier.storage.tables import ArchitectureRow, ArtifactRow
from tests.search.helpers import planned
from tests.storage.helpers import alembic
from tests.storage.releases import first
from tests.storage.releases.first import JOBS, LENET, PRERESNET, VGG


@pytest.fixture
def old(empty_url: str) -> Iterator[Database]:
    """A database of the first release, upgraded."""
    database = Database(empty_url)
    first.restore(database)
    assert not database.is_current()
    database.upgrade()
    assert database.is_current()
    yield database
    database.close()


def shown(value: Any, like: Any) -> Any:
    """What a value of today says of the things that an earlier release said."""
    if isinstance(like, Mapping):
        return {name: shown(value[name], inner) for name, inner in like.items()}
    if isinstance(like, list):
        assert len(value) == len(like)
        return [shown(one, inner) for one, inner in zip(value, like, strict=True)]
    return value


def front(database: Database, job_id: str, cost: CostName = "params") -> dict[str, Any]:
    """A front of today; what dominates is said as it was then, by architecture."""
    with database.session() as session:
        found: Pareto = pareto(measurements.of_job(session, job_id), cost)
    by_arm = {point.arm.id: point.architecture for point in found.points}
    document = found.model_dump(mode="json")
    for point in document["points"]:
        point["dominated_by"] = by_arm.get(point["dominated_by"])
    return document


def test_jobs_are_what_they_were(old: Database) -> None:
    with old.session() as session:
        found = [jobs.get(session, job.id) for job in jobs.page(session, None, None, 10)]
        assert all(job.question is None for job in found)
        progress = candidates.progress(session, JOBS)
    before = {row["id"]: row for row in first.release()["jobs"]}
    assert [job.id for job in found] == [LENET, PRERESNET, VGG]
    for job in found:
        assert (job.name, job.state, job.attempts) == (before[job.id]["name"], "succeeded", 1)
        assert job.finished_at is not None
        assert f"{job.finished_at:%Y-%m-%d %H:%M:%S.%f}" == before[job.id]["finished_at"]
        assert (job.execution, job.question) == (before[job.id]["execution"], None)
        assert progress[job.id].done == progress[job.id].total == len(first.rows(job.id))
        spec = JobSpec.read(job.spec)
        assert (spec.name, spec.minimum_keep) == (job.name, before[job.id]["spec"]["floor"])


@pytest.mark.parametrize("cost", ["params", "macs"])
def test_a_front_is_what_it_was(old: Database, cost: CostName) -> None:
    before = first.release()["answers"][LENET][cost]
    said = {name: value for name, value in before.items() if name != "hypervolume"}
    found = front(old, LENET, cost)
    assert shown(found, said) == said
    assert found["hypervolume"].keys() == before["hypervolume"].keys(), "a mean of accuracies now"


@pytest.mark.parametrize("job_id", [VGG, PRERESNET])
def test_points_are_what_they_were(old: Database, job_id: str) -> None:
    said = first.release()["answers"][job_id]["points"]
    assert shown(front(old, job_id)["points"], said) == said


def test_verdicts_are_what_they_were(old: Database) -> None:
    with old.session() as session:
        found = answer(measurements.of_job(session, VGG)).model_dump(mode="json")
        nothing = answer(measurements.of_job(session, LENET)).model_dump(mode="json")
    said = first.release()["answers"][VGG]["verdicts"]
    key = ("method", "init", "against")
    about_widths = [one for one in found["verdicts"] if one["about"] == "widths"]  # it knew no others
    order = {tuple(one[name] for name in key): one for one in about_widths}
    assert len(order) == len(said) == 4
    for one in said:
        today = shown(order[tuple(one[name] for name in key)], one)
        if 0 in (one["automatic"]["std"], one["baseline"]["std"]):  # wider now: no spread is taken for chance
            (low, high), (before, after) = today["interval"], one["interval"]
            assert low < before < after < high
            assert today["answer"] in (one["answer"], "undecided")
            today |= {name: one[name] for name in ("interval", "answer")}
        assert today == one
    before = first.release()["answers"][LENET]["verdict"]
    assert shown(nothing, before) == before


def test_architectures_keep_their_ids(old: Database) -> None:
    with old.session() as session:
        found = {row.id: row for row in session.scalars(sa.select(ArchitectureRow))}
        trained = [row for job in JOBS for row in candidates.rows(session, job) if row.result]
    assert set(found) == {row["id"] for row in first.release()["architectures"]}
    for name, row in found.items():
        assert architectures.config_of(row).id == name
    assert any(architectures.config_of(row).picks for row in found.values()), "some select channels"
    for one in trained:
        result = candidates.result_of(one)
        assert result is not None
        assert (result.config.id, result.cost.params) == (one.architecture, one.params)


def test_candidates_keep_their_keys_and_get_arms(old: Database) -> None:
    with old.session() as session:
        found = [row for job in JOBS for row in candidates.rows(session, job)]
    assert [row.key for row in found] == [row["key"] for job in JOBS for row in first.rows(job)]
    arms: dict[str | None, set[tuple[object, ...]]] = {}
    for row in found:
        one = candidates.candidate_of(row)
        assert one.key == row.key
        assert (row.arm, row.arm_name, row.role) == (one.arm.id, one.arm.name, one.arm.role)
        assert set(one.needs.values()) <= {other.key for other in found}
        arms.setdefault(row.arm, set()).add((row.job_id, row.origin, row.method, row.init, row.budget_keep, row.role))
    assert all(len(same) == 1 for same in arms.values())
    roles = {(kind, init): role for ((_, kind, _, init, _, role),) in arms.values()}
    assert roles[("pruned", "inherited")] == roles[("pruned", "scratch")] == "automatic"
    assert roles[("uniform", "scratch")] == roles[("random", "scratch")] == "baseline"


@pytest.mark.parametrize("job_id", [LENET, VGG])
def test_the_same_search_of_today_has_the_same_arms(old: Database, job_id: str) -> None:
    with old.session() as session:
        spec = JobSpec.read(jobs.get(session, job_id).spec)
        before = {row.arm: row.arm_name for row in candidates.rows(session, job_id)}
    today = {one.arm.id: one.arm.name for one in planned(spec, "digits-1")}
    assert before.items() <= today.items()


def test_weights_are_artifacts(old: Database) -> None:
    with old.session() as session:
        kept = {(row.job_id, row.key): (row.name, row.hash) for row in session.scalars(sa.select(ArtifactRow))}
        _, found = architectures.architecture(session, first.rows(LENET)[1]["architecture"])
        assert architectures.weights_of(session, found)[0] == first.rows(LENET)[4]["weights"], "best on the hold-out"
    assert kept == {
        (row["job_id"], row["key"]): ("weights", row["weights"])
        for row in first.release()["candidates"]
        if row["weights"]
    }
    assert "weights" not in {column["name"] for column in sa.inspect(old.engine).get_columns("candidates")}


def test_events_are_read(old: Database) -> None:
    with old.session() as session:
        found = [events.event_of(row) for row in events.after(session, LENET, 0, 1000)]
    before = [row["data"] for row in first.release()["job_events"]]
    assert [one.model_dump(mode="json", include=set(data)) for one, data in zip(found, before, strict=True)] == before
    assert found[-1] == StateEvent(state=JobState.SUCCEEDED)
    assert sum(isinstance(one, EpochEvent) for one in found) == 8
    assert sum(isinstance(one, CandidateFailed) for one in found) == 2


def test_studies_are_read(old: Database) -> None:
    studies = Studies(old)
    for job_id in JOBS:
        found = studies.open(job_id).outcomes()
        before = first.outcomes(job_id)
        assert [one.key for one in found] == [one["key"] for one in before]
        for one, document in zip(found, before, strict=True):
            if isinstance(one, Failure):
                assert one.error == document["error"]
                continue
            assert isinstance(one, Result)
            assert (one.chosen_by, one.reported) == (document["holdout"], document["accuracy"])
            assert one.artifacts == {"weights": document["weights"]}
            assert [(p.epoch, p.metrics) for p in one.curve] == [
                (p["epoch"], {"loss": p["loss"], "accuracy": p["holdout"]}) for p in document["curve"]
            ]
        with old.session() as session:
            table = candidates.results(session, job_id)
        assert table == {one.key: one for one in found if isinstance(one, Result)}
    studies.close()


def test_weights_go_back_with_the_schema(old: Database) -> None:
    with old.engine.begin() as connection:
        command.downgrade(alembic(connection), first.REVISION)
        kept = {key: weights for key, weights in connection.execute(sa.text("SELECT key, weights FROM candidates"))}  # noqa: C416
    assert kept == {row["key"]: row["weights"] for row in first.release()["candidates"]}
