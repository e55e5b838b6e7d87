"""The runner: claims a job, runs it, says how it ended. Holds the lease; obeys its user."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.trace import Span
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.orm import Session

from espalier.app.caps import UNCAPPED, Caps
from espalier.app.logs import about
from espalier.app.tracing import traced
from espalier.app.work.executors.base import Executor, TaskFailed, WorkerLost
from espalier.app.work.follow_up import FollowUp, queue
from espalier.app.work.job import JobRun, Parts, Stopped
from espalier.search.datasets import DataPaths
from espalier.search.errors import SpecError
from espalier.search.results import FREE, Pinned
from espalier.storage import jobs, patterns, runners
from espalier.storage.database import Database
from espalier.storage.errors import LeaseLost, StoreUnavailable, StoreUnusable
from espalier.storage.jobs import Lease
from espalier.storage.room import UNLIMITED, Room
from espalier.storage.store import Store
from espalier.storage.studies import Studies
from espalier.storage.tables import JobRow

log = logging.getLogger("espalier.runner")

IDLE_SECONDS = 0.5
HEARTBEAT_SECONDS = 5.0
STORE_SECONDS = 5.0
"""Between two looks whether the store answers again."""
FAILED_SECONDS = 2.0
"""Until it is tried again, where the database did not answer; the job is still this runner's then."""


class Runner:
    """Runs one job at a time, its candidates side by side. Everything it knows is in the database and the study."""

    def __init__(
        self,
        database: Database,
        store: Store,
        executor: Executor,
        paths: DataPaths,
        pinned: Pinned = FREE,
        caps: Caps = UNCAPPED,
        room: Room = UNLIMITED,
    ) -> None:
        self.database = database
        self.executor = executor
        self.owner = f"{socket.gethostname()[:30]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.stopping = threading.Event()
        self.parts = Parts(database, store, executor, paths, self.stopping, self.heartbeat, pinned, caps)
        self.room = room
        """For the jobs that follow others."""
        self._next_heartbeat = 0.0
        self._studies: Studies | None = None
        self._is_store_gone = False

    @property
    def studies(self) -> Studies:
        """Optuna's storage, opened on first use."""
        if self._studies is None:
            self._studies = Studies(self.database)
        return self._studies

    def run_forever(self) -> None:
        """Claim and run jobs until `stop`."""
        while not self.stopping.is_set():
            try:
                if not self.run_one():
                    self.stopping.wait(IDLE_SECONDS)
                self._wait_for_store()
            except LeaseLost as error:
                log.warning("%s; left to its new runner", error)
            except (OperationalError, InterfaceError) as error:
                log.warning("the database failed: %s; the runner tries again", " ".join(str(error.orig).split()))
                self.stopping.wait(FAILED_SECONDS)
            except Exception:
                log.exception("the runner failed; it goes on")
                self.stopping.wait(FAILED_SECONDS)
        if self._studies is not None:
            self._studies.close()
        with contextlib.suppress(SQLAlchemyError), self.database.session() as session:
            runners.leave(session, self.owner)

    def heartbeat(self, session: Session) -> None:
        """Say every few seconds that this runner lives: how `readyz` knows."""
        if time.monotonic() >= self._next_heartbeat:
            runners.heartbeat(session, self.owner)
            self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS

    def stop(self) -> None:
        """Let go of the running job, so that the next runner goes on with it, and end the loop."""
        self.stopping.set()

    def run_one(self) -> bool:
        """Claim the oldest free job and run it to its end. False if there is none.

        Raises LeaseLost or a database error; then the job is left to whoever claims it next.
        """
        with self.database.session() as session:
            self.heartbeat(session)
            jobs.reclaim(session, self.owner)  # it runs none now
            job = jobs.claim(session, self.owner)
        if job is None:
            return False
        with about(job=job.id), traced("job", job=job.id, attempt=job.attempts) as span:
            self._run_to_its_end(job, span)
        return True

    def _run_to_its_end(self, job: JobRow, span: Span) -> None:
        lease = Lease(job.id, self.owner, job.attempts)
        log.info("job %s: attempt %d", job.id, job.attempts)
        interrupted: dict[str, float] = {}
        verb, error, follow_ups = self._run(job, lease, interrupted)
        span.set_attribute("espalier.end", verb)
        if verb == "succeed":
            self._remember(job.id, follow_ups)
        with self.database.session() as session:
            jobs.conclude(session, lease, verb, error, interrupted)
        if verb in ("succeed", "fail"):  # what was cancelled or paused may go on from its checkpoints
            with contextlib.suppress(StoreUnavailable):
                self.parts.store.forget_checkpoint(job.id)
        log.info("job %s: %s", job.id, verb)

    def _wait_for_store(self) -> None:
        """Where a job had to be let go since the store did not answer, until it does; no other job could go on."""
        while self._is_store_gone and not self.stopping.wait(STORE_SECONDS):
            with self.database.session() as session:
                self.heartbeat(session)
            with contextlib.suppress(StoreUnavailable):
                self.parts.store.check()
                self._is_store_gone = False

    def _remember(self, job_id: str, follow_ups: Sequence[FollowUp]) -> None:
        """Keep what a job found, and queue what follows it. Both may be done again, and neither is a reason to fail."""
        try:
            with self.database.session() as session:
                patterns.remember(session, job_id)
                for one in follow_ups:
                    queue(session, job_id, one, self.room)
        except Exception:
            log.exception("job %s: what it found is not in the library", job_id)

    def _run(
        self, job: JobRow, lease: Lease, interrupted: dict[str, float]
    ) -> tuple[str, str | None, Sequence[FollowUp]]:
        """How a job ended, why if it failed, and what follows. Trainings that end with it are noted in `interrupted`,
        with their seconds."""
        try:
            with JobRun(self.parts, job, lease, interrupted) as run:
                verb, error = run.to_its_end(self.studies)
                return verb, error, run.follow_ups() if verb == "succeed" else ()
        except Stopped as stopped:
            return stopped.verb, stopped.why, ()
        except (TaskFailed, WorkerLost) as problem:
            return "fail", f"the job could not be prepared: {problem}", ()
        except StoreUnavailable as problem:
            log.warning("job %s waits: %s", job.id, problem)
            self._is_store_gone = True
            return "release", None, ()
        except StoreUnusable as problem:
            return "fail", str(problem), ()
        except SpecError as problem:
            return "fail", f"the job's planner could not go on: {problem}", ()
        except (DataError, IntegrityError, ProgrammingError):  # it would fail again, and hold up all others
            log.exception("job %s cannot be written down", job.id)
            return "fail", "internal error: what came of it cannot be stored; the service's log says more", ()
        except (LeaseLost, SQLAlchemyError):
            raise
        except Exception as problem:
            log.exception("job %s failed", job.id)
            return "fail", f"internal error: {type(problem).__name__}; the service's log says more", ()


@contextmanager
def running(runner: Runner) -> Iterator[Runner]:
    """The runner in a thread of its own, for as long as the context lasts."""
    thread = threading.Thread(target=runner.run_forever, name="runner", daemon=True)
    thread.start()
    try:
        yield runner
    finally:
        runner.stop()
        thread.join(timeout=10)
        runner.executor.shutdown()
