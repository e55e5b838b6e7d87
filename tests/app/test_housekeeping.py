"""What nothing refers to goes, and nothing else."""

from __future__ import annotations

import json
import os
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from espalier.app.housekeeping import Leftovers, leftovers, sweep
from espalier.app.service import store_of
from espalier.app.settings import Settings, SettingsError
from espalier.search.spec import JobSpec
from espalier.storage import jobs
from espalier.storage.database import Database
from espalier.storage.errors import DatabaseUnusable
from espalier.storage.tables import JobRow
from tests.app.client.cli.conftest import Run, run
from tests.app.world import SPEC, World
from tests.search.helpers import planned, question

__all__ = ["run"]

DAY = timedelta(hours=24)


def aged(world: World) -> None:
    """As if all that is kept were written two days ago."""
    for path in (world.settings.data_dir / "artifacts").rglob("*"):
        os.utime(path, (path.stat().st_mtime - 2 * 86400,) * 2)


def held(settings: Settings) -> set[str]:
    return {name for name, _ in store_of(settings).artifacts()}


def checkpoint(world: World, job: str) -> None:
    with world.service.store.checkpoint(f"{job}/one") as state:
        state.path.write_bytes(b"state")


def test_what_no_candidate_has_goes_when_it_is_old(world: World) -> None:
    world.finish()
    wanted = held(world.settings)
    assert wanted
    old = world.service.store.put(b"of a training that was killed")
    aged(world)
    new = world.service.store.put(b"of one that is written down in a moment")
    found = leftovers(world.settings, DAY)
    assert found.artifacts == (old,)
    sweep(world.settings, found)
    assert held(world.settings) == wanted | {new}
    assert leftovers(world.settings, timedelta(0)).artifacts == (new,)


def test_what_is_kept_again_is_not_old(world: World) -> None:
    world.finish()
    name = world.service.store.put(b"weights")
    aged(world)
    assert world.service.store.put(b"weights") == name
    assert leftovers(world.settings, DAY).artifacts == ()


def test_what_is_referred_to_meanwhile_stays(world: World) -> None:
    world.finish()
    wanted = held(world.settings)
    sweep(world.settings, Leftovers(tuple(wanted), ()))
    assert held(world.settings) == wanted


def test_checkpoints_go_with_jobs_that_are_over_and_no_others(world: World) -> None:
    done, paused, cancelled = world.finish(), world.submit(name="a"), world.submit(name="b")
    with world.service.database.session() as session:
        jobs.pause(session, paused)
        jobs.cancel(session, cancelled)
    for job in (done, paused, cancelled, "0000000000000000"):
        checkpoint(world, job)
    found = leftovers(world.settings, DAY)
    assert set(found.checkpoints) == {done, "0000000000000000"}
    sweep(world.settings, found)
    assert set(world.service.store.checkpoints()) == {paused, cancelled}


def test_the_command_says_what_it_does(world: World, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_DATA_DIR", str(world.settings.data_dir))
    world.finish()
    wanted = held(world.settings)
    name = world.service.store.put(b"left")
    assert "0 artifacts, the checkpoints of 0 jobs and 0 shared data sets were deleted" in run("gc").output
    told = run("gc", "--older-than", "0", "--dry-run", "--json")
    assert json.loads(told.stdout) == {"artifacts": [name], "checkpoints": [], "folders": []}
    assert held(world.settings) == wanted | {name}
    assert (
        "1 artifacts, the checkpoints of 0 jobs and 0 shared data sets were deleted"
        in run("gc", "--older-than", "0").output
    )
    assert held(world.settings) == wanted


def test_a_database_that_knows_nothing_of_what_is_kept_deletes_nothing(world: World, tmp_path: Path) -> None:
    world.finish()
    aged(world)
    with closing(Database(f"sqlite:///{tmp_path / 'other.db'}")) as other:
        foreign = world.settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'other.db'}"})
        with pytest.raises(DatabaseUnusable, match="espalier upgrade"):
            leftovers(foreign, DAY)
        other.upgrade()
    with pytest.raises(SettingsError, match="nothing that is kept belongs to a candidate of this database"):
        leftovers(foreign, DAY)
    assert set(leftovers(foreign, DAY, force=True).artifacts) == held(world.settings)


def test_a_foreign_database_deletes_nothing_though_it_knows_a_data_set_of_that_name(
    bucket: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "data", store=bucket)
    (tmp_path / "files").mkdir()
    spec, store = JobSpec.model_validate(SPEC), store_of(settings)
    store.share(question(spec).data, tmp_path / "files")
    store.put(b"of another service")
    with closing(Database(settings.url)) as database:
        database.upgrade()
        with database.session() as session:
            jobs.submit(session, spec, question(spec), planned(spec))
    with pytest.raises(SettingsError, match="nothing that is kept belongs"):
        leftovers(settings, timedelta(seconds=-2))


def test_a_store_that_is_not_there_is_said(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ESPALIER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ESPALIER_STORE", "ftp://x")
    ran = run("gc")
    assert (ran.exit_code, "no store 'ftp://x'" in str(ran.exception)) == (1, True)


def test_data_sets_are_shared_for_as_long_as_a_job_needs_them(bucket: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", store=bucket)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "about.json").write_text("{}")
    store = store_of(settings)
    spec = JobSpec.model_validate(SPEC)
    with closing(Database(settings.url)) as database:
        database.upgrade()
        with database.session() as session:
            job = jobs.submit(session, spec, question(spec), planned(spec)).id
        needed = question(spec).data
        for name in (needed, "digits-1"):
            store.share(name, tmp_path / "files")
        assert leftovers(settings, DAY).folders == (), "a job of it may be on its way"
        at_once = timedelta(seconds=-2)
        found = leftovers(settings, at_once)
        assert found.folders == ("digits-1",)
        sweep(settings, found)
        assert [*dict(store.shared())] == [needed]
        with database.session() as session:
            jobs.cancel(session, job)
        assert leftovers(settings, at_once).folders == (), "it may be retried"
        with database.session() as session:
            session.execute(sa.update(JobRow).values(state="succeeded"))
        with pytest.raises(SettingsError, match="nothing that is kept belongs"):  # as of another service's database
            leftovers(settings, at_once)
        found = leftovers(settings, at_once, force=True)
        assert found.folders == (needed,)
        with database.session() as session:
            jobs.extend(session, jobs.get(session, job), *asked_for(spec))
        sweep(settings, found)
        assert [*dict(store.shared())] == [needed], "a job needs it again"


def asked_for(spec: JobSpec) -> Any:
    more = spec.model_copy(update={"seeds": (*spec.all_seeds, 99)})
    return more, question(more), planned(more)
