"""From what is stored to what is answered."""

from __future__ import annotations

import pytest

from espalier.app.schemas import Page
from espalier.app.server.responses import (
    BadCursor,
    architecture_view,
    candidate_view,
    cursor,
    event_data,
    event_view,
    found_view,
    job_view,
    page,
    position,
)
from espalier.search.events import StateEvent
from espalier.search.results import Failure
from espalier.search.states import JobState
from espalier.storage import architectures, candidates, events, jobs
from espalier.storage.architectures import Filter
from espalier.storage.candidates import Progress
from espalier.storage.database import Database
from tests.app.world import World, problem
from tests.search.helpers import candidate, result
from tests.storage.helpers import SPEC, submit


@pytest.mark.parametrize("cursor", ["x", "????", "bm90IGEgbnVtYmVy", "LTE", "W10", "dHJ1ZQ", "é"])
def test_a_cursor_no_page_gave_out_is_422(world: World, cursor: str) -> None:
    problem(world.client.get("/v1/jobs", params={"cursor": cursor}), 422, "cursor")


@pytest.mark.parametrize("number", [0, 1, 50, 2**53 - 1])
def test_a_cursor_is_its_position(number: int) -> None:
    assert position(cursor(number)) == number
    assert "=" not in cursor(number)


def test_no_cursor_is_the_beginning() -> None:
    assert position(None) is None


@pytest.mark.parametrize("text", ["", "x", "MS4w", "dHJ1ZQ", cursor(2**53), cursor(-1)])
def test_what_no_page_gave_out_is_no_position(text: str) -> None:
    with pytest.raises(BadCursor, match="is none that a page gave out"):
        position(text)


def test_a_page_names_the_next_if_there_is_one() -> None:
    assert page([1, 2, 3], 2, 7) == Page[int](items=(1, 2), next_cursor=cursor(7))
    assert page([1, 2], 2, 7) == Page[int](items=(1, 2), next_cursor=None)
    assert page([], 2, 7) == Page[int](items=(), next_cursor=None)


@pytest.mark.parametrize(
    ("progress", "fraction", "eta"),
    [
        (Progress(0, 0, 4, 0.0), 0.0, None),
        (Progress(0, 2, 4, 0.0), 0.0, None),
        (Progress(2, 0, 4, 6.0), 0.5, None),
        (Progress(2, 2, 6, 6.0), 1 / 3, 3.0 * 3 / 2),
        (Progress(4, 0, 4, 12.0), 1.0, None),
        (Progress(0, 0, 0, 0.0), 1.0, None),
    ],
)
def test_how_far_a_job_is(database: Database, progress: Progress, fraction: float, eta: float | None) -> None:
    submit(database)
    with database.session() as session:
        job = jobs.claim(session, "me")
        assert job is not None
        view = job_view(job, progress)
    assert view.progress.fraction == pytest.approx(fraction)
    assert view.progress.eta_seconds == pytest.approx(eta)
    assert (view.state, view.attempts, view.spec) == (JobState.RUNNING, 1, SPEC)


def test_a_candidate_shows_what_came_of_it(database: Database) -> None:
    one, two = candidate("pruned", keep=0.1), candidate("dense")
    job_id = submit(database, [one, two], [result(one, 0.75, 100), Failure(key=two.key, error="it diverged")])
    with database.session() as session:
        done, failed = (candidate_view(row) for row in candidates.rows(session, job_id))
    assert (done.accuracy, done.params, done.error, done.arm, done.budget) == (0.75, 100, None, one.arm, one.budget)
    assert done.ran == result(one).ran
    assert (failed.accuracy, failed.ran, failed.made_by, failed.error) == (None, None, None, "it diverged")


def test_an_event_leaves_out_what_is_not_there(database: Database) -> None:
    job_id = submit(database)
    with database.session() as session:
        (view,) = (event_view(row) for row in events.after(session, job_id, 0, 10))
    assert (view.event, view.data) == ("state", StateEvent(state=JobState.QUEUED))
    assert event_data(view) == {"state": "queued"}


def test_found_architectures_have_a_deviation_over_seeds(database: Database) -> None:
    seeds = [candidate("uniform", seed=seed) for seed in range(3)]
    submit(database, seeds, [result(one, accuracy) for one, accuracy in zip(seeds, (0.5, 0.6, 0.7), strict=True)])
    with database.session() as session:
        (found,) = (found_view(one) for one in architectures.search(session, Filter(), "accuracy", 0, 10))
    assert found.accuracy.model_dump() == pytest.approx({"mean": 0.6, "std": 0.1, "n": 3})
    assert (found.arm.id, found.arm.name, found.arm.role) == (seeds[0].arm.id, "uniform", "baseline")


def test_an_architecture_groups_its_trainings_by_arm(database: Database) -> None:
    seeds = [candidate("uniform", seed=seed) for seed in range(2)]
    other = candidate("uniform", keep=0.3)
    config = result(seeds[0]).config
    wanted = [result(one, 0.5, config=config) for one in (*seeds, other)]
    submit(database, [*seeds, other], wanted)
    submit(database, seeds, wanted[:2])
    with database.session() as session:
        found = architectures.architecture(session, config.id)
        view = architecture_view(*found, layers=[], latency=[], has=bool)
    assert {(cell.arm.label, cell.accuracy.n) for cell in view.accuracy} == {
        ("uniform params=0.5", 2),
        ("uniform params=0.3", 1),
    }
    assert len(view.results) == 3, "one candidate in two jobs is one measurement"
    assert {one.has_weights for one in view.results} == {False}
