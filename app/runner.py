"""Running jobs: claim one, run its plan, write down what comes of it. Holds the lease; obeys cancellation."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from espalier.app.executors import Executor, TaskFailed, WorkerLost
from espalier.app.tasks import evaluate_candidate, prepare_job
from espalier.search.data import Places
from espalier.search.plan import hopeless, orphans, ready
from espalier.search.types import Candidate, Execution, Failure, JobSpec, Outcome, Plan, Result
from espalier.search.version import VERSION
from espalier.storage import jobs, results, runners
from espalier.storage.artifacts import Artifacts
from espalier.storage.database import Database
from espalier.storage.errors import LeaseLost
from espalier.storage.studies import Studies, Study
from espalier.storage.tables import JobRow

log = logging.getLogger("espalier.runner")

IDLE_SECONDS = 0.5
WAIT_SECONDS = 0.5
PARENT_FAILED = "its parent failed: "
BEAT_SECONDS = 5.0


class Stopped(Exception):
    """The job's run ends here: cancelled, or the runner is shut down."""

    def __init__(self, verb: str) -> None:
        super().__init__(verb)
        self.verb = verb


class Hold(NamedTuple):
    """A job as its runner holds it."""

    job_id: str
    owner: str
    attempt: int


class Runner:
    """Runs one job at a time, its candidates side by side. Everything it knows is in the database and the study."""

    def __init__(
        self, database: Database, artifacts: Artifacts, executor: Executor, places: Places, work: Path
    ) -> None:
        self.database, self.artifacts, self.executor = database, artifacts, executor
        self.places, self.work = places, work
        self.owner = f"{socket.gethostname()[:30]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.stopping = threading.Event()
        self._next_beat = 0.0
        self._studies: Studies | None = None

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
            except LeaseLost as error:
                log.warning("%s; left to its new runner", error)
            except Exception:
                log.exception("the runner failed; it goes on")
                self.stopping.wait(5)
        if self._studies is not None:
            self._studies.close()
        with contextlib.suppress(SQLAlchemyError), self.database.session() as session:
            runners.leave(session, self.owner)

    def beat(self, session: Session) -> None:
        """Say every few seconds that this runner lives: how `readyz` knows."""
        if time.monotonic() >= self._next_beat:
            runners.beat(session, self.owner)
            self._next_beat = time.monotonic() + BEAT_SECONDS

    def stop(self) -> None:
        """Let go of the running job, so that the next runner goes on with it, and end the loop."""
        self.stopping.set()

    def run_one(self) -> bool:
        """Claim the oldest free job and run it to its end. False if there is none.

        Raises LeaseLost or a database error; then the job is left to whoever claims it next.
        """
        with self.database.session() as session:
            self.beat(session)
            job = jobs.claim(session, self.owner)
        if job is None:
            return False
        hold = Hold(job.id, self.owner, job.attempts)
        log.info("job %s: attempt %d", job.id, job.attempts)
        verb, error = self._run(job, hold)
        with self.database.session() as session:
            jobs.conclude(session, *hold, verb, error)
        if verb in ("succeed", "fail"):  # a cancelled job may go on from its checkpoints
            shutil.rmtree(self.work / job.id, ignore_errors=True)
        log.info("job %s: %s", job.id, verb)
        return True

    def _run(self, job: JobRow, hold: Hold) -> tuple[str, str | None]:
        try:
            with _Run(self, job, hold) as run:
                return run.to_its_end()
        except Stopped as stopped:
            return stopped.verb, None
        except (TaskFailed, WorkerLost) as problem:
            return "fail", f"the job could not be prepared: {problem}"
        except (LeaseLost, SQLAlchemyError):
            raise
        except Exception as problem:
            log.exception("job %s failed", job.id)
            return "fail", f"internal error: {type(problem).__name__}; the service's log says more"


class _Run:
    """One job on its way: what runs, what is done. Leaving the context stops whatever still runs."""

    def __init__(self, runner: Runner, job: JobRow, hold: Hold) -> None:
        self.runner, self.hold, self.job = runner, hold, job
        self.spec = JobSpec.model_validate(job.spec)
        self.work = runner.work / job.id
        self.running: dict[Future[Any], Candidate | None] = {}
        self.reports: queue.SimpleQueue[tuple[Candidate, Any]] = queue.SimpleQueue()
        self.done: dict[str, Result] = {}
        self.failed: dict[str, str] = {}
        self.unwanted = False
        """Whether the job's cancellation is wanted."""

    def __enter__(self) -> _Run:
        self.work.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_error: object) -> None:
        for future in list(self.running):
            self.runner.executor.cancel(future)

    def to_its_end(self) -> tuple[str, str | None]:
        """Run the plan; how the job ended, and why if it failed."""
        study = self.runner.studies.open(self.hold.job_id)
        plan = self._recover(study)
        execution = self._execution()
        self._reuse(plan, study, execution)
        while not hopeless(plan, self.failed):
            self._forget_lost(plan)
            self._fill(ready(plan, self.done, self.failed), execution)
            if not self.running:
                return "succeed", None
            for future in self._next():
                outcome = self._outcome(future)
                self._enter(study, outcome)
                for orphan in orphans(plan, self.failed):
                    reason = self.failed[orphan.parent or ""]
                    self._enter(study, Failure(key=orphan.key, error=f"{PARENT_FAILED}{reason}"))
        return "fail", _reasons(self.failed)

    def _recover(self, study: Study) -> Plan:
        """The plan as it was submitted, and what is already known of it: the study counts, the table follows."""
        with self._writing() as session:
            rows = results.rows(session, self.hold.job_id)
            plan = Plan(candidates=tuple(Candidate.model_validate(row.candidate) for row in rows))
            self.failed = {row.key: row.error or "it failed" for row in rows if row.state == "failed"}
            for outcome in study.outcomes():
                if isinstance(outcome, Result) and self._is_complete(plan, outcome):
                    self.done[outcome.key] = outcome
                    results.write(session, self.hold.job_id, outcome)
        return plan

    def _execution(self) -> Execution:
        """How the networks are computed: chosen when the job first runs, then kept."""
        if self.job.execution is not None:
            return Execution.model_validate(self.job.execution)
        cores = self.runner.executor.cores
        future = self._submit(None, prepare_job, self.spec, cores, self.runner.places, threads=cores)
        while not future.done():
            list(self._next())
        self.running.pop(future)
        execution: Execution = future.result()
        with self._writing() as session:
            jobs.remember_execution(session, self.hold.job_id, execution)
        return execution

    def _reuse(self, plan: Plan, study: Study, execution: Execution) -> None:
        """Take over results of other jobs for the same candidates, if they were made by the same code, the same way."""
        with self.runner.database.session() as session:
            found = results.known(session, self.hold.job_id)
        for result in found:
            made_by = result.made_by
            alike = (made_by.espalier, made_by.execution) == (VERSION, execution)
            if alike and result.key not in self.done and self._is_complete(plan, result):
                self._enter(study, result)

    def _is_complete(self, plan: Plan, result: Result) -> bool:
        """Whether the weights that are wanted of it are there."""
        wanted = self.spec.keep_weights or any(candidate.parent == result.key for candidate in plan.candidates)
        return not wanted or (result.weights is not None and self.runner.artifacts.has(result.weights))

    def _forget_lost(self, plan: Plan) -> None:
        """Parents whose weights were deleted with the job that made them are trained again."""
        needed = {one.parent for one in plan.candidates if one.parent and one.key not in self.done}
        for key in needed & self.done.keys():
            weights = self.done[key].weights
            if weights is None or not self.runner.artifacts.has(weights):
                del self.done[key]

    def _fill(self, waiting: list[Candidate], execution: Execution) -> None:
        """Hand out candidates while there are cores for them."""
        under_way = {candidate.key for candidate in self.running.values() if candidate}
        slots = max(1, self.runner.executor.cores // execution.threads) - len(under_way)
        for candidate in [c for c in waiting if c.key not in under_way][: max(0, slots)]:
            parent = self.done[candidate.parent].weights if candidate.parent else None
            with self._writing() as session:
                results.start(session, self.hold.job_id, candidate.key)
            self._submit(
                candidate,
                evaluate_candidate,
                candidate,
                self.runner.artifacts.path(parent) if parent else None,
                execution,
                self.runner.places,
                threads=execution.threads,
                keep_weights=self.spec.keep_weights or _is_parent(candidate),
                checkpoint=self.work / f"{candidate.key}.safetensors",
            )

    def _submit(self, candidate: Candidate | None, function: Any, *args: Any, **kwargs: Any) -> Future[Any]:
        report = (lambda value: self.reports.put((candidate, value))) if candidate else None
        future = self.runner.executor.submit(function, *args, report=report, **kwargs)
        self.running[future] = candidate
        return future

    def _next(self) -> Iterator[Future[Any]]:
        """The futures that are done, after waiting a moment for one; the lease is kept up meanwhile."""
        done, _ = wait(self.running, timeout=WAIT_SECONDS, return_when=FIRST_COMPLETED)
        if self.runner.stopping.is_set():
            raise Stopped("release")
        with self._writing() as session:
            while not self.reports.empty():
                candidate, epoch = self.reports.get()
                data = {"candidate": candidate.key, "label": candidate.label, "accuracy": epoch.holdout}
                jobs.record(session, self.hold.job_id, "epoch", data | epoch.model_dump(exclude={"holdout"}))
        if self.unwanted:
            raise Stopped("cancel")
        yield from done

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        """A session in which this runner still holds the job, and keeps it for another while.

        Raises LeaseLost before anything is written. Nothing else may write to the database meanwhile.
        """
        with self.runner.database.session() as session:
            self.unwanted = jobs.renew(session, *self.hold)
            self.runner.beat(session)
            yield session

    def _outcome(self, future: Future[Any]) -> Outcome:
        """What came of a candidate; its weights are kept, its checkpoint is not."""
        candidate = self.running.pop(future)
        assert candidate is not None
        try:
            evaluated = future.result()
        except (TaskFailed, WorkerLost, CancelledError) as error:
            log.warning("job %s: %s failed: %s", self.hold.job_id, candidate.label, error)
            return Failure(key=candidate.key, error=str(error) or type(error).__name__)
        finally:
            (self.work / f"{candidate.key}.safetensors").unlink(missing_ok=True)
        result: Result = evaluated.result
        if evaluated.weights is not None:
            result = result.model_copy(update={"weights": self.runner.artifacts.put(evaluated.weights)})
        return result

    def _enter(self, study: Study, outcome: Outcome) -> None:
        """Write an outcome down: first in the study, which counts, then in the table."""
        if isinstance(outcome, Result):
            self.done[outcome.key] = outcome
        else:
            self.failed[outcome.key] = outcome.error
        with self._writing():
            pass  # the job is still ours
        study.record(outcome)
        with self._writing() as session:
            results.write(session, self.hold.job_id, outcome)


def _is_parent(candidate: Candidate) -> bool:
    return candidate.origin.kind == "dense" and candidate.method is not None


def _reasons(failed: dict[str, str]) -> str:
    reasons = list(dict.fromkeys(reason.removeprefix(PARENT_FAILED) for reason in failed.values()))
    return "no verdict is left to give: " + "; ".join(reasons[:3])


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
