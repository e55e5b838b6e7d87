"""The parts of a running service, put together once, and what more than one route needs of them."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import secrets
import threading
import time
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from espalier.app.answers import Answers
from espalier.app.lanes import Lane
from espalier.app.settings import Settings, SettingsError
from espalier.app.work.executors import EXECUTORS
from espalier.app.work.executors.base import Executor, ExecutorUnusable, Limits
from espalier.app.work.executors.local import LocalExecutor
from espalier.app.work.runner import Runner
from espalier.app.work.tasks import describe_catalog, share_data, validate_spec
from espalier.search.datasets import DataPaths
from espalier.search.errors import SpecError
from espalier.search.estimate import PlanEstimate
from espalier.search.machine import cores
from espalier.search.spec import JobSpec
from espalier.storage import architectures, candidates, jobs, runners
from espalier.storage.database import Database
from espalier.storage.errors import NotFound, StoreUnavailable, StoreUnusable
from espalier.storage.store import Store, store_at
from espalier.storage.studies import Studies

T = TypeVar("T")

VALIDATION = Limits(seconds=300, bytes=8 * 2**30)
"""What looking at a request may take: reading a data set for the first time is part of it."""

UNSHARED_SECONDS = 30.0
"""Between two tries to share a data set that failed: nobody waits for what the one before has waited for."""

log = logging.getLogger("espalier")


class Service:
    """What the routes work with. What needs a framework runs in child processes, under limits: what may take minutes in
    one, what is quick in another."""

    def __init__(
        self, settings: Settings, inspector: Executor, token: str | None, clerk: Executor | None = None
    ) -> None:
        self.settings = settings
        self.token = token
        """None: no token is asked for."""
        self.database = Database(settings.url)
        self.answers = Answers(self.database)
        self.store = store_of(settings)
        self.paths = data_paths_of(settings)
        self.stopping = False
        """Set when the server is told to stop, so that open streams end."""
        self._examinations = Lane(inspector, VALIDATION)
        self._questions = Lane(clerk or inspector, VALIDATION)
        self._answers: dict[tuple[Any, ...], Any] = {}
        self._sharing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._unshared: dict[str, float] = {}
        """Until when it is not tried again to share a data set, since it failed."""

    def examine(self, function: Callable[..., T], *args: Any, gone: Callable[[], bool] = lambda: False) -> T:
        """Run a function that may take long in a child process, unless who asked is gone. Raises TaskFailed, WorkerLost
        or Busy."""
        return self._examinations.ask(function, *args, gone=gone)

    def examine_spec(self, spec: JobSpec, gone: Callable[[], bool]) -> PlanEstimate:
        """What a spec would run, if it can work; of one that was looked at a moment ago, from memory."""
        return self._examinations.remembered(validate_spec, spec, self.paths, VALIDATION.bytes, gone=gone)

    def allow(self, spec: JobSpec, estimate: PlanEstimate) -> None:
        """Raise SpecError if a search takes more than a job may, or tells whom nobody may tell."""
        host, allowed = urllib.parse.urlsplit(spec.webhook or "").hostname, self.settings.webhook_host_names
        if host is not None and host not in allowed:
            told = f"tells {', '.join(sorted(allowed))}" if allowed else "tells nobody (ESPALIER_WEBHOOK_HOSTS)"
            raise SpecError(f"webhook is at {host}, and this service {told}")
        self.settings.caps.check(estimate)

    def share_data(self, fingerprint: str) -> None:
        """Put a data set that was looked at here where workers find it that do not have it. That it cannot be is no
        reason to refuse a search: they may have it themselves."""
        if not self.store.is_far:
            return
        try:
            with self._sharing[fingerprint]:  # what two submissions need is sent once
                if time.monotonic() > self._unshared.get(fingerprint, 0.0):
                    share_data(fingerprint, self.paths, self.store)
        except (StoreUnavailable, StoreUnusable, OSError) as error:
            self._unshared[fingerprint] = time.monotonic() + UNSHARED_SECONDS
            log.warning("data set %s is not shared with other machines: %s", fingerprint, error)

    def rate(self, networks: int) -> float | None:
        """Multiply-adds of training per second while so many networks are trained, as many at once as there are cores
        for; None before anything was trained here."""
        with self.database.session() as session:
            pace = candidates.pace(session)
        if pace is None:
            return None
        at_once = max(1, (self.settings.workers or cores()) // pace.threads)
        return pace.macs_per_second * max(1, min(networks, at_once))

    def ask(self, function: Callable[..., T], *args: Any) -> T:
        """The same for what is quick, beside whatever is examined."""
        return self._questions.ask(function, *args)

    def warm_up(self) -> None:
        """Let the child processes start, so that nobody's first request waits for it, nor for what answers need."""
        importlib.import_module("scipy.special")
        for lane in (self._examinations, self._questions):
            lane.warm_up(describe_catalog)

    def ask_once(self, function: Callable[..., T], *args: Any) -> T:
        """`ask`, for what never changes while the service runs: answered from memory the second time."""
        key = (function, repr(args))
        if key not in self._answers:
            if len(self._answers) > 1000:
                self._answers.clear()
            self._answers[key] = self.ask(function, *args)
        answer: T = self._answers[key]
        return answer

    def intact(self, hashes: Iterable[str]) -> Iterator[Path]:
        """The files of these artifacts, without those that are gone or damaged."""
        for hash in hashes:
            with contextlib.suppress(NotFound):
                yield self.store.path(hash)

    def delete_job(self, job_id: str) -> None:
        """Forget a finished job with its study and everything nobody else refers to."""
        with self.database.session() as session:
            hashes = candidates.artifacts_of(session, job_id)
            jobs.delete(session, job_id)
            session.flush()
            architectures.forget_unused(session)
        self.studies.delete(job_id)
        with self.database.session() as session:  # another job may have taken a result over meanwhile
            hashes -= candidates.referenced(session, hashes)
        try:
            for unused in hashes:
                self.store.delete(unused)
            self.store.forget_checkpoint(job_id)
        except StoreUnavailable as error:  # the job is gone
            log.error("some files of job %s are left, which nobody refers to: %s", job_id, error)

    @cached_property
    def studies(self) -> Studies:
        """Optuna's studies; opened when they are first needed."""
        return Studies(self.database)

    def missing(self) -> list[str]:
        """What keeps the service from being ready."""
        found = []
        if not self.database.is_current():
            found.append("the database is not reachable or not migrated (espalier upgrade)")
        elif not self._has_runner():
            found.append("no runner is alive, so jobs would wait (espalier runner)")
        return found

    def _has_runner(self) -> bool:
        with self.database.session() as session:
            return runners.alive(session) > 0

    def close(self) -> None:
        """End the child processes and let go of the database."""
        if "studies" in self.__dict__:
            self.studies.close()
        self._examinations.close()
        self._questions.close()
        self.database.close()


def token_of(settings: Settings) -> tuple[str, bool]:
    """The service's token, and whether it was made just now: from the setting, else from the data directory."""
    if settings.token:
        return settings.token, False
    path = settings.data_dir / "token"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.data_dir / "token.lock"):
        token = path.read_text().strip() if path.exists() else ""
        if token:  # an empty file was cut short by a kill or a full disk
            return token, False
        token, new = secrets.token_urlsafe(24), path.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(token + "\n")
        new.replace(path)
        return token, True


@contextmanager
def single_runner_lock(data_dir: Path) -> Iterator[None]:
    """Be the one runner of a data directory, or of the directory of an SQLite file. Raises SettingsError if another
    process is."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"ESPALIER_DATA_DIR {data_dir} cannot be used: {error.strerror}") from error
    lock = FileLock(data_dir / "serve.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise SettingsError(
            f"another Espalier already runs on {data_dir}; stop it, or set ESPALIER_DATA_DIR to another directory"
        ) from error
    try:
        yield
    finally:
        lock.release()


def make_runner(settings: Settings) -> Runner:
    """A runner with the executor that is set; it shares no database connection with the API."""
    try:
        executor = EXECUTORS[settings.executor](settings.workers)
    except ExecutorUnusable as error:
        raise SettingsError(f"ESPALIER_EXECUTOR: {error}") from error
    parts = (Database(settings.url), store_of(settings), executor, data_paths_of(settings))
    room = settings.room._replace(queued=None, own=None)  # what follows a job was asked for with it
    return Runner(*parts, settings.pinned, settings.caps, room)


def data_paths_of(settings: Settings) -> DataPaths:
    """Where workers find data."""
    return DataPaths(settings.datasets.resolve(), settings.cache.resolve())


def store_of(settings: Settings) -> Store:
    """Where weights and checkpoints are. Raises SettingsError."""
    try:
        return store_at(settings.store_url, settings.cache.resolve(), settings.checkpoint_seconds)
    except StoreUnusable as error:
        raise SettingsError(f"ESPALIER_STORE: {error}") from error


make_inspector = functools.partial(LocalExecutor, 1, name="inspector")
