"""A finished job as a document: whatever is asked of it, the answers stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from espalier.storage import candidates, patterns
from espalier.storage.errors import NotFound, WrongState
from espalier.storage.recordings import Recording, enter, recording
from tests.app.world import World

ANSWERS = ("pareto", "verdict", "pattern", "tickets")


def taken(world: World, job: str) -> Recording:
    with world.service.database.session() as session:
        return recording(session, job)


def entered(world: World, found: Recording) -> str:
    with world.service.database.session() as session:
        return enter(session, Recording.read(found.model_dump(mode="json"))).id


def test_a_job_is_the_same_elsewhere(tmp_path: Path) -> None:
    here, there = World(tmp_path / "here"), World(tmp_path / "there")
    here.executor.broken = lambda one: "it burst" if one.origin.kind == "uniform" and one.seed == 1 else None
    job = here.finish(name="shown")
    again = entered(there, taken(here, job))
    for answer in ANSWERS:
        assert there.get(f"/v1/jobs/{again}/{answer}") == here.get(f"/v1/jobs/{job}/{answer}"), answer
    old, new = here.get(f"/v1/jobs/{job}"), there.get(f"/v1/jobs/{again}")
    same = ("name", "state", "spec", "progress", "created_at", "started_at", "finished_at")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    rows = [world.get(f"/v1/jobs/{id}/candidates", limit=200)["items"] for world, id in ((here, job), (there, again))]
    assert rows[0] == rows[1]
    with there.service.database.session() as session:
        assert candidates.artifacts_of(session, again) == set(), "no weights came along"
    assert there.get("/v1/patterns")["items"], "its patterns are in the library"


def test_what_is_recorded_twice_is_the_same_and_two_jobs(tmp_path: Path) -> None:
    world = World(tmp_path)
    job = world.finish()
    first = taken(world, job)
    again = entered(world, first)
    assert again != job
    assert taken(world, again) == first
    assert len(world.get("/v1/jobs")["items"]) == 2


def test_a_job_that_runs_is_not_recorded(tmp_path: Path) -> None:
    world = World(tmp_path)
    job = world.submit()
    with pytest.raises(WrongState, match="recorded when it has ended"):
        taken(world, job)
    with pytest.raises(NotFound):
        taken(world, "x")


def test_a_job_that_failed_has_no_pattern(tmp_path: Path) -> None:
    world = World(tmp_path)
    job = world.submit()
    world.client.post(f"/v1/jobs/{job}/cancel")
    again = entered(world, taken(world, job))
    assert world.get(f"/v1/jobs/{again}")["state"] == "cancelled"
    with world.service.database.session() as session:
        assert patterns.ranked(session) == []
