"""One job's run: asks its planner, hands out candidates, writes down what comes of them."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from opentelemetry.trace import Span
from sqlalchemy.orm import Session

from espalier.app.caps import Caps
from espalier.app.logs import about
from espalier.app.tracing import begin_span, end_span, traced
from espalier.app.work.executors.base import Executor, Task, TaskFailed, WorkerLost
from espalier.app.work.follow_up import FollowUp, follow_ups
from espalier.app.work.hearing import Hearing
from espalier.app.work.tasks import evaluate_candidate, measure_latencies, prepare_job, smoke_job, validate_spec
from espalier.search import planners
from espalier.search.candidates import Candidate, blocked, is_undecidable, ready
from espalier.search.datasets import DataPaths
from espalier.search.errors import Diverged
from espalier.search.estimate import PlanEstimate
from espalier.search.events import EpochEvent, MeasuringEvent, PreparingEvent, SilentEvent, SmokeEvent
from espalier.search.planners import Planner
from espalier.search.question import Question
from espalier.search.results import Execution, Failure, FailureKind, Outcome, Pinned, Reported, Result, Smoke
from espalier.search.spec import JobSpec
from espalier.search.version import VERSION
from espalier.storage import candidates, events, jobs, patterns
from espalier.storage.database import Database
from espalier.storage.errors import NotFound, StoreUnavailable
from espalier.storage.events import record
from espalier.storage.jobs import Lease
from espalier.storage.store import Store
from espalier.storage.studies import Studies, Study
from espalier.storage.tables import JobRow

log = logging.getLogger("espalier.runner")

WAIT_SECONDS, RENEW_SECONDS = 0.5, 5.0
TRIES = 3
"""Processes that one candidate may lose, or files."""
NEED_FAILED = "its parent failed: "
KEPT = "what it has stays, and a job that asks for the same takes it over"
KINDS: Mapping[str, FailureKind] = {
    Diverged.__name__: "diverged",
    "OutOfMemoryError": "memory",  # torch's, of a GPU
    MemoryError.__name__: "memory",
}
"""By the type of what a worker raised."""


class Stopped(Exception):
    """The job's run ends here: cancelled or paused, or the runner is shut down."""

    def __init__(self, verb: str, why: str | None = None) -> None:
        super().__init__(verb)
        self.verb, self.why = verb, why


class Parts(NamedTuple):
    """What a run works with."""

    database: Database
    store: Store
    executor: Executor
    paths: DataPaths
    stopping: threading.Event
    """Set when the runner is to let go of its job."""
    heartbeat: Callable[[Session], None]
    """Says that the runner lives."""
    pinned: Pinned
    """What of the way in which networks are computed is not left to timing."""
    caps: Caps
    """What a job may take."""


class _Training(NamedTuple):
    """One that runs."""

    began: float
    span: Span


class JobRun:
    """One job on its way: what runs, what is done. Leaving the context stops whatever still runs."""

    def __init__(self, parts: Parts, job: JobRow, lease: Lease, interrupted: dict[str, float]) -> None:
        self.parts, self.job, self.lease = parts, job, lease
        self.interrupted = interrupted
        """Seconds of trainings that are ended with the run, by key: written here."""
        self.vain: dict[str, float] = {}
        """Seconds of trainings that ended without a result, by key; a result that goes on from there has them in it."""
        self.spec = JobSpec.read(job.spec)
        self.candidates: list[Candidate] = []
        self.planner: Planner[Any] | None = None
        self.running: dict[Future[Any], Candidate | None] = {}
        self.reports: queue.SimpleQueue[tuple[Candidate, Reported]] = queue.SimpleQueue()
        self.done: dict[str, Result] = {}
        self.failed: dict[str, str] = {}
        self.hearing = Hearing()
        self.asked = ""
        """What runs that is no candidate."""
        self.lost: Counter[str] = Counter()
        """How often the process of a candidate ended under it."""
        self.trained = 0.0
        """Seconds of training that this job's own results took."""
        self.begun: dict[Future[Any], _Training] = {}
        """The trainings that run."""
        self.furthest: dict[str, int] = {}
        """The last epoch of each candidate that was told."""
        self.wanted: Literal["cancel", "pause"] | None = None
        """What the user wants with the job, if not that it goes on."""
        self.renewed = 0.0
        """When the lease was last extended."""

    def __enter__(self) -> JobRun:
        return self

    def __exit__(self, *_error: object) -> None:
        for future in list(self.running):
            self.parts.executor.cancel(future)
        for future, training in self.begun.items():
            end_span(training.span, "interrupted")
            if (candidate := self.running.get(future)) is not None:
                self.interrupted[candidate.key] = time.monotonic() - training.began

    def to_its_end(self, studies: Studies) -> tuple[str, str | None]:
        """Run all that the planner asks for; how the job ended, and why if it failed."""
        self.parts.store.check()
        study, self.planner = studies.open(self.lease.job_id, self.spec.name), self._planner()
        self._recover(study)
        execution = self._execution()
        self._reuse(study, execution)
        if (failures := self._smoke(execution)) is not None:
            return "fail", failures
        while not is_undecidable(self.candidates, self.failed):
            self._enter_blocked(study)
            if waiting := ready(self.candidates, self.done, self.failed):
                self._stop_at_the_cap()
            if not self._fill(waiting, execution):
                continue
            if self.running:
                for future in self._next():
                    if (outcome := self._outcome(future)) is not None:
                        self._enter(study, outcome)
                        self._forget_checkpoint(outcome.key)
            elif self._ask():
                self._reuse(study, execution)
            else:
                self._measure(execution)
                return "succeed", None
        self._enter_blocked(study)
        return "fail", self._reasons()

    def _smoke(self, execution: Execution) -> str | None:
        """What goes wrong where each arm is tried for one batch, if that is wanted and did not go well before; none is
        tried where something of every arm is trained."""
        known = {one.arm.id for one in self.candidates if one.key in self.done}
        if not self.spec.smoke or self.planner is None or known.issuperset(one.arm.id for one in self.candidates):
            return None
        with self._writing() as session:
            if events.passed_smoke(session, self.lease.job_id):
                return None
            record(session, self.lease.job_id, SmokeEvent())
        arguments = (self.planner.question, execution, self.parts.paths, self.parts.store)
        task = Task(smoke_job, arguments, threads=execution.threads, on_gpu=_is_on_gpu(execution))
        found: Smoke = self._answered("smoke run", task)
        log.info("job %s: %d arms were tried in %.0f s", self.lease.job_id, found.arms, found.seconds)
        if not found.failures:
            with self._writing() as session:
                record(session, self.lease.job_id, SmokeEvent(passed=found.arms))
            return None
        told = "; ".join(f"{label}: {words}" for label, words in [*found.failures.items()][:3])
        count = f"{len(found.failures)} of {found.arms} arms"
        return f"the smoke run failed, and nothing was trained after it: {count}. {told}"

    def _measure(self, execution: Execution) -> None:
        """Note what running the networks takes, now that nothing else runs. It is no reason to fail."""
        known = [self.done[one.key] for one in self.candidates if one.arm.role != "parent" and one.key in self.done]
        configs = {result.config.id: result.config for result in known}
        if not configs or configs.keys() <= (self.job.latencies or {}).keys():
            return
        with self._writing() as session:
            record(session, self.lease.job_id, MeasuringEvent())
        cores = max(1, self.parts.executor.widest)
        arguments = (tuple(configs.values()), self.spec.latency_images, cores, execution.device)
        measuring = Task(measure_latencies, arguments, threads=cores, on_gpu=_is_on_gpu(execution))
        try:
            found = self._answered("latencies", measuring)
        except (TaskFailed, WorkerLost) as error:
            log.warning("job %s: latencies were not measured: %s", self.lease.job_id, error)
            return
        with self._writing() as session:
            jobs.remember_latencies(session, self.lease.job_id, found)

    def follow_ups(self) -> list[FollowUp]:
        """The jobs that carry what this one found to where its spec wants it."""

        def examine(spec: JobSpec) -> PlanEstimate:
            estimate: PlanEstimate = self._answered("transfer", Task(validate_spec, (spec, self.parts.paths)))
            self.parts.caps.check(estimate)
            return estimate

        if not self.spec.transfer_to:
            return []
        with self.parts.database.session() as session:
            found = patterns.of_job(session, self.lease.job_id)
        return follow_ups(self.lease.job_id, self.spec, found, examine)

    def _recover(self, study: Study) -> None:
        """What was asked for so far, and what is already known of it: the study counts, the table follows."""
        with self._writing() as session:
            rows = candidates.rows(session, self.lease.job_id)
            self.candidates = [candidates.candidate_of(row) for row in rows]
            self.trained = candidates.trained(session, self.lease.job_id)
            self.vain = {row.key: row.interrupted for row in rows if row.interrupted}
            self.failed = {row.key: row.error or "it failed" for row in rows if row.state == candidates.FAILED}
        known = [outcome for outcome in study.outcomes() if isinstance(outcome, Result) and self._is_complete(outcome)]
        self.done = {outcome.key: outcome for outcome in known}
        with self._writing() as session:
            for outcome in known:
                candidates.write(session, self.lease.job_id, outcome)

    def _planner(self) -> Planner[Any] | None:
        """What decides what is tried next; a job of the first release was planned once and for all."""
        return None if self.job.question is None else planners.create(Question.read(self.job.question))

    def _ask(self) -> bool:
        """Write down what is to be tried next; whether there is anything."""
        if self.planner is None:
            return False
        known: dict[str, Outcome] = dict(self.done)
        wanted = self.planner.next(known | {key: Failure(key=key, error=error) for key, error in self.failed.items()})
        with self._writing() as session:
            new = candidates.add(session, jobs.get(session, self.lease.job_id), wanted)
        self.candidates += new
        return bool(new)

    def _execution(self) -> Execution:
        """How the networks are computed: chosen when the job first runs, then kept."""
        if self.job.execution is not None:
            return Execution.model_validate(self.job.execution)
        self._wait_for_machines()
        cores = self.parts.executor.widest
        data = None if self.planner is None else self.planner.question.data
        where = (self.parts.paths, self.parts.store)
        arguments = (self.spec, data, len(self.candidates), cores, *where, self.parts.pinned)
        with self._writing() as session:
            record(session, self.lease.job_id, PreparingEvent())
        execution: Execution = self._answered("preparation", Task(prepare_job, arguments, threads=cores, on_gpu=True))
        with self._writing() as session:
            jobs.remember_execution(session, self.lease.job_id, execution)
        return execution

    def _wait_for_machines(self) -> None:
        """Until there is one: how networks are computed there is how they are computed for good."""
        while not self.parts.executor.widest:
            self.parts.stopping.wait(WAIT_SECONDS)
            list(self._next())

    def _answered(self, what: str, task: Task) -> Any:
        """What a task that is no candidate's answers. Raises TaskFailed, or WorkerLost after some tries."""
        self.asked = what
        with traced(what, job=self.lease.job_id):
            return self._tried(what, task)

    def _tried(self, what: str, task: Task) -> Any:
        while True:
            future = self._submit(None, task)
            while not future.done():
                list(self._next())
            self.running.pop(future)
            try:
                return future.result()
            except (TaskFailed, WorkerLost) as error:
                if not (_may_pass(error) and self._is_tried_again(what, error)):
                    raise

    def _is_tried_again(self, what: str, error: Exception) -> bool:
        """Whether what lost its process, a file or the store is begun again. Raises StoreUnavailable where that is
        away: nothing goes on meanwhile."""
        if _is_of(error, StoreUnavailable):
            self.parts.store.check()
        self.lost[what] += 1
        log.warning("job %s: %s, try %d: %s", self.lease.job_id, what, self.lost[what], error)
        return self.lost[what] < TRIES

    def _reuse(self, study: Study, execution: Execution) -> None:
        """Take over results of other jobs for the same candidates, if they were made by the same code, the same way."""
        with self.parts.database.session() as session:
            found = candidates.known(session, self.lease.job_id)
        for result in found:
            made_by = result.made_by
            alike = (made_by.espalier, made_by.execution) == (VERSION, execution)
            if alike and result.key not in self.done and self._is_complete(result):
                self._enter(study, result, taken_over=True)

    def _is_complete(self, result: Result) -> bool:
        """Whether the weights that are wanted of it are there."""
        return not self._is_kept(result.key) or self._has_weights(result)

    def _is_kept(self, key: str) -> bool:
        """Whether a candidate's weights are wanted."""
        if self.spec.keep_weights or any(key in one.needs.values() for one in self.candidates):
            return True
        own = self._with_key(key)
        return own is not None and self.planner is not None and self.planner.may_need(own)

    def _with_key(self, key: str) -> Candidate | None:
        return next((one for one in self.candidates if one.key == key), None)

    def _has_weights(self, result: Result) -> bool:
        """Whether all that was kept is there; asks the store, which may take its time."""
        if time.monotonic() > self.renewed + RENEW_SECONDS:
            with self._writing():
                pass
        return result.is_readable and all(map(self.parts.store.has, result.artifacts.values()))

    def _forget_lost(self, candidate: Candidate) -> bool:
        """Whether what a candidate needs is gone, with its job or since it was damaged: it is trained again."""
        lost = [key for key in candidate.needs.values() if not self._has_weights(self.done[key])]
        for key in lost:
            del self.done[key]
        return bool(lost)

    def _fill(self, waiting: list[Candidate], execution: Execution) -> bool:
        """Hand out candidates while there are cores for them; whether what they need was there."""
        under_way = {candidate.key for candidate in self.running.values() if candidate}
        slots = self.parts.executor.slots(execution.threads, _is_on_gpu(execution)) - len(under_way)
        for candidate in [c for c in waiting if c.key not in under_way][: max(0, slots)]:
            if self._forget_lost(candidate):
                return False
            with self._writing() as session:
                candidates.start(session, self.lease.job_id, candidate)
            future = self._submit(candidate, self._training(candidate, execution))
            span = begin_span("training", job=self.lease.job_id, candidate=candidate.key, label=candidate.label)
            self.begun[future] = _Training(time.monotonic(), span)
        return True

    def _training(self, candidate: Candidate, execution: Execution) -> Task:
        needs = {role: self.done[key].artifacts for role, key in candidate.needs.items()}
        return Task(
            evaluate_candidate,
            (candidate, needs, execution, self.parts.store, self._checkpoint(candidate.key)),
            {"paths": self.parts.paths, "keep_weights": self._is_kept(candidate.key)},
            threads=execution.threads,
            on_gpu=_is_on_gpu(execution),
            report=lambda value: self.reports.put((candidate, value)),
        )

    def _checkpoint(self, key: str) -> str:
        return f"{self.lease.job_id}/{key}"

    def _submit(self, candidate: Candidate | None, task: Task) -> Future[Any]:
        future = self.parts.executor.submit(task)
        self.running[future] = candidate
        self.hearing.hear(future)
        return future

    def _next(self) -> Iterator[Future[Any]]:
        """The futures that are done, after waiting a moment for one; the lease is extended meanwhile."""
        done, _ = wait(self.running, timeout=WAIT_SECONDS, return_when=FIRST_COMPLETED)
        if self.parts.stopping.is_set():
            raise Stopped("release")
        with self._writing() as session:
            while not self.reports.empty():
                candidate, reported = self.reports.get()
                self._hear(candidate, reported.point.epoch)
                record(session, self.lease.job_id, _told(candidate, reported))
            for silence in self._silences():
                record(session, self.lease.job_id, silence)
        if self.wanted:
            raise Stopped(self.wanted)
        yield from done

    def _stop_at_the_cap(self) -> None:
        """Raise Stopped where the job has trained for as long as it may."""
        most = self.parts.caps.seconds_of(self.spec.max_seconds)
        spent = self.trained + sum(time.monotonic() - training.began for training in self.begun.values())
        if most is not None and spent >= most:
            raise Stopped("cancel", f"it was stopped after {spent:.0f} seconds of training, of {most:.0f}; {KEPT}")

    def _hear(self, candidate: Candidate, epoch: int) -> None:
        """Note that a candidate gave a sign. Whoever comes further than ever before has as many tries as at first: on
        machines that come and go, a long training loses more processes than any that is ill."""
        if epoch > self.furthest.get(candidate.key, -1):
            self.furthest[candidate.key] = epoch
            self.lost.pop(candidate.label, None)
        for future, one in self.running.items():
            if one is candidate:
                self.hearing.hear(future)

    def _silences(self) -> Iterator[SilentEvent]:
        """What nothing was heard of for long."""
        for future, seconds in self.hearing.silent(self.running):
            candidate = self.running[future]
            key, label = (candidate.key, candidate.label) if candidate else (None, f"the {self.asked}")
            log.warning("job %s: nothing was heard of %s for %.0f s", self.lease.job_id, label, seconds)
            yield SilentEvent(candidate=key, label=label, seconds=seconds)

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        """A session in which this runner still has the job, and keeps it for another while.

        Raises LeaseLost before anything is written. Nothing else may write to the database meanwhile.
        """
        with self.parts.database.session() as session:
            self.wanted = jobs.renew(session, self.lease)
            self.renewed = time.monotonic()
            self.parts.heartbeat(session)
            yield session

    def _outcome(self, future: Future[Any]) -> Outcome | None:
        """What came of a candidate. None: it is tried again. Raises StoreUnavailable, and has lost nothing then."""
        candidate = self.running.pop(future)
        assert candidate is not None
        training = self.begun.pop(future)
        seconds = time.monotonic() - training.began
        with about(candidate=candidate.key):
            error = None if future.cancelled() else future.exception()
            end_span(training.span, None if error is None else str(error))
            try:
                outcome = self._outcome_of(candidate, future)
            except StoreUnavailable:
                self.interrupted[candidate.key] = seconds
                raise
            if not isinstance(outcome, Result):
                self._note_vain(candidate.key, seconds)
            return outcome

    def _note_vain(self, key: str, seconds: float) -> None:
        """Note that a training ran for so long and has no result."""
        self.trained += seconds
        self.vain[key] = self.vain.get(key, 0.0) + seconds
        with self._writing() as session:
            candidates.note_interrupted(session, self.lease.job_id, {key: seconds})

    def _outcome_of(self, candidate: Candidate, future: Future[Any]) -> Outcome | None:
        try:
            outcome: Outcome = future.result()
        except (TaskFailed, WorkerLost, CancelledError) as error:
            if _may_pass(error):
                with self._writing() as session:
                    candidates.interrupt(session, self.lease.job_id, candidate)
                if self._is_tried_again(candidate.label, error):
                    return None
            log.warning("job %s: %s failed: %s", self.lease.job_id, candidate.label, error)
            return Failure(key=candidate.key, error=str(error) or type(error).__name__, kind=_kind(error))
        if isinstance(outcome, Result):
            told = (self.lease.job_id, candidate.label, outcome.metric.name, outcome.reported, outcome.seconds)
            log.info("job %s: %s has %s %.4f after %.0f s", *told)
        return outcome

    def _forget_checkpoint(self, key: str) -> None:
        """After the outcome is written down, so that nothing is lost with it."""
        with contextlib.suppress(StoreUnavailable):  # it goes with the job
            self.parts.store.forget_checkpoint(self._checkpoint(key))

    def _enter_blocked(self, study: Study) -> None:
        """Write down the failure of everything that can never run, since something it needs failed."""
        while stuck := blocked(self.candidates, self.failed):
            for one in stuck:
                reason = next(self.failed[key] for key in one.needs.values() if key in self.failed)
                words = f"{NEED_FAILED}{reason.removeprefix(NEED_FAILED)}"
                self._enter(study, Failure(key=one.key, error=words, kind="needed"))

    def _enter(self, study: Study, outcome: Outcome, taken_over: bool = False) -> None:
        """Write an outcome down: first in the study, which counts, then in the table."""
        if isinstance(outcome, Result):
            self.done[outcome.key] = outcome
            self.trained -= self.vain.pop(outcome.key, 0.0)
            self.trained += 0.0 if taken_over else outcome.seconds
        else:
            self.failed[outcome.key] = outcome.error
        with self._writing():
            pass  # the job is still ours
        own = self._with_key(outcome.key)
        study.record(outcome, own.origin.parameters if own else None, own.label if own else "")
        with self._writing() as session:
            candidates.write(session, self.lease.job_id, outcome, taken_over)

    def _reasons(self) -> str:
        reasons = list(dict.fromkeys(reason.removeprefix(NEED_FAILED) for reason in self.failed.values()))
        return "no verdict is left to give: " + "; ".join(reasons[:3])


def _is_on_gpu(execution: Execution) -> bool:
    return execution.device != "cpu"


def _may_pass(error: Exception) -> bool:
    """Whether it was the machine's fault, the store's or that of a damaged file, and may go well another time."""
    return isinstance(error, WorkerLost) or _is_of(error, NotFound, StoreUnavailable)


def _is_of(error: Exception, *kinds: type[Exception]) -> bool:
    """Whether a worker raised one of these."""
    return isinstance(error, TaskFailed) and error.kind in {kind.__name__ for kind in kinds}


def _kind(error: Exception) -> FailureKind:
    """What kind of failure an error is."""
    if isinstance(error, WorkerLost):
        return "process"
    if not isinstance(error, TaskFailed):
        return "error"
    return KINDS.get(error.kind, "refused" if error.is_users else "error")


def _told(candidate: Candidate, reported: Reported) -> EpochEvent:
    """An epoch of a candidate, as its job tells it."""
    point = reported.point
    return EpochEvent(
        candidate=candidate.key,
        label=candidate.label,
        epoch=point.epoch,
        epochs=reported.epochs,
        step=point.step,
        loss=point.metrics["loss"],
        accuracy=point.metrics[reported.metric],
        metrics=point.metrics,
    )
