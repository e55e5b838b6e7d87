"""The parts of a service: its token, its one runner, its questions to the child process, and what a deleted job leaves."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import optuna
import pytest

from espalier.app.lanes import LONGEST_LINE
from espalier.app.server.processes import serve
from espalier.app.service import (
    Service,
    data_paths_of,
    make_runner,
    single_runner_lock,
    token_of,
)
from espalier.app.settings import Settings, SettingsError
from espalier.app.work.executors import EXECUTORS
from espalier.app.work.executors.base import Task, TaskFailed
from espalier.search.datasets import DataPaths, load
from espalier.search.spec import Folder
from espalier.storage import jobs
from espalier.storage.errors import NotFound, StoreUnavailable, WrongState
from tests.app.fakes import FakeExecutor
from tests.app.world import World


def test_a_token_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    token, made = token_of(Settings(data_dir=tmp_path))
    assert made
    assert token_of(Settings(data_dir=tmp_path)) == (token, False)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert token_of(Settings(data_dir=tmp_path, token="mine-alone")) == ("mine-alone", False)


def test_an_empty_token_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    token, made = token_of(Settings(data_dir=tmp_path))
    assert made
    assert len(token) > 20


def test_one_runner_holds_the_file_of_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_DATA_DIR", str(tmp_path / "mine"))
    monkeypatch.setenv("ESPALIER_DATABASE_URL", f"sqlite:///{tmp_path}/theirs/espalier.db")
    with (
        single_runner_lock(tmp_path / "theirs"),
        pytest.raises(SettingsError, match=r"another Espalier already runs on .*theirs"),
    ):
        serve("", 0, with_api=False, with_runner=True, auth=False)


def test_one_runner_holds_a_data_directory(tmp_path: Path) -> None:
    with (
        single_runner_lock(tmp_path),
        pytest.raises(SettingsError, match="another Espalier already runs"),
        single_runner_lock(tmp_path),
    ):
        pass
    with single_runner_lock(tmp_path):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be used"), single_runner_lock(tmp_path / "file"):
        pass


# --- questions --------------------------------------------------------------------------------------------------------


class Held(FakeExecutor):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.futures: list[Future[Any]] = []

    def submit(self, _task: Task) -> Future[Any]:
        self.futures.append(Future())
        return self.futures[-1]


def make(folder: Path, inspector: FakeExecutor) -> Service:
    return Service(Settings(data_dir=folder), inspector, None)


def test_what_is_quick_does_not_wait_for_what_takes_long(tmp_path: Path) -> None:
    inspector = Held()
    service = Service(Settings(data_dir=tmp_path), inspector, None, FakeExecutor())
    waiting = [threading.Thread(target=service.examine, args=(len, " " * n)) for n in range(LONGEST_LINE)]
    for thread in waiting:
        thread.start()
    while len(inspector.futures) < LONGEST_LINE:
        waiting[0].join(0.01)
    assert service.ask(len, "four") == 4
    for future in inspector.futures:
        future.set_result(0)
    for thread in waiting:
        thread.join(5)
    service.close()


def test_what_never_changes_is_asked_once_and_an_error_is_no_answer(tmp_path: Path) -> None:
    inspector = FakeExecutor()
    asked: list[str] = []

    def answer(text: str) -> int:
        asked.append(text)
        if len(asked) == 1:
            raise ValueError("not yet")
        return len(text)

    service = make(tmp_path, inspector)
    with pytest.raises(TaskFailed, match="not yet"):
        service.ask_once(answer, "four")
    assert [service.ask_once(answer, text) for text in ("four", "four", "three", "four")] == [4, 4, 5, 4]
    assert asked == ["four", "four", "three"]
    assert service.ask(answer, "four") == 4
    assert len(asked) == 4
    service.close()


# --- jobs that are deleted --------------------------------------------------------------------------------------------


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_deleted_job_leaves_nothing_that_only_it_had(world: World) -> None:
    first, second = world.finish(), world.finish(seeds=[0])
    (world.settings.data_dir / "work" / first).mkdir(parents=True, exist_ok=True)
    kept = len(files(world.settings.data_dir / "artifacts"))
    world.service.delete_job(first)
    left = files(world.settings.data_dir / "artifacts")
    assert 0 < len(left) < kept
    assert optuna.get_all_study_names(world.settings.url) == [second]
    assert not (world.settings.data_dir / "work" / first).exists()
    world.service.delete_job(second)
    assert files(world.settings.data_dir / "artifacts") == []
    assert optuna.get_all_study_names(world.settings.url) == []


def test_a_job_that_goes_on_is_not_deleted_nor_anything_of_it(world: World) -> None:
    job_id = world.finish()
    kept = files(world.settings.data_dir / "artifacts")
    again = world.submit()
    for name, error in ((again, WrongState), ("nowhere", NotFound)):
        with pytest.raises(error):
            world.service.delete_job(name)
    assert files(world.settings.data_dir / "artifacts") == kept
    with world.service.database.session() as session:
        assert jobs.get(session, job_id).state == "succeeded"


# --- its parts --------------------------------------------------------------------------------------------------------


def test_it_says_what_keeps_it_from_being_ready(tmp_path: Path) -> None:
    service = make(tmp_path, FakeExecutor())
    assert service.missing() == ["the database is not reachable or not migrated (espalier upgrade)"]
    service.database.upgrade()
    assert service.missing() == ["no runner is alive, so jobs would wait (espalier runner)"]
    service.close()


def test_the_runner_trains_where_the_setting_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXECUTORS, "fake", FakeExecutor)
    settings = Settings(data_dir=tmp_path, executor="fake", workers=3)
    runner = make_runner(settings)
    assert isinstance(runner.executor, FakeExecutor)
    assert runner.executor.widest == 3
    assert data_paths_of(settings) == (tmp_path / "datasets", tmp_path / "cache")
    runner.database.close()


def test_a_data_set_is_shared_where_the_store_is_elsewhere(
    bucket: str, pets: DataPaths, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load(Folder(folder="pets"), pets).fingerprint
    settings = Settings(data_dir=tmp_path, store=bucket)
    service = Service(settings, FakeExecutor(), None)
    try:
        for _ in range(2):
            service.share_data(data)
        assert [*dict(service.store.shared())] == [data]
        monkeypatch.setattr(type(service.store), "share", unreachable)
        service.share_data(data)
        assert "is not shared with other machines: nobody answers" in caplog.text
    finally:
        service.close()


def unreachable(*_: object) -> None:
    raise StoreUnavailable("nobody answers")
