"""An executor without processes and a search without training: the whole orchestration in milliseconds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from espalier.app.work.executors.base import Task, TaskFailed
from espalier.app.work.tasks import evaluate_candidate, measure_latencies, prepare_job, smoke_job, validate_spec
from espalier.models.config import ChannelConfig, Cost
from espalier.search.candidates import Candidate
from espalier.search.estimate import PlanEstimate
from espalier.search.question import Question
from espalier.search.results import CurvePoint, Execution, Latency, MadeBy, Reported, Result, Smoke
from espalier.search.spec import Budget
from espalier.search.version import VERSION
from espalier.storage.errors import NotFound
from espalier.storage.store import Store
from tests.search.helpers import most, planned, question, result


class FakeExecutor:
    """Runs submitted tasks when it is asked to; training is a formula of the candidate."""

    def __init__(self, cores: int = 2) -> None:
        self.widest = cores
        self.evaluated: list[Candidate] = []
        self.broken: Callable[[Candidate], str | None] = lambda _: None
        """Candidate -> error, for those that shall fail."""
        self.held: Callable[[Candidate], bool] = lambda _: False
        """Candidates that never end."""
        self.seconds = 0.01
        """That a training says it took."""
        self.smoke = Smoke(4, {}, 0.1)
        """What a smoke run finds."""
        self.smoked: list[Question] = []
        self.cancelled: list[Future[Any]] = []
        self.execution = Execution()
        """How networks are computed here."""

    def slots(self, threads: int, on_gpu: bool) -> int:  # noqa: ARG002
        return max(1, self.widest // threads)

    def submit(self, task: Task) -> Future[Any]:
        future: Future[Any] = Future()
        if task.function is prepare_job:
            future.set_result(self.execution)
        elif task.function is smoke_job:
            self.smoked.append(task.args[0])
            future.set_result(self.smoke)
        elif task.function is validate_spec:
            spec = task.args[0]
            future.set_result(PlanEstimate(question(spec), tuple(planned(spec)), most(spec), Cost(1000, 10000), 1, 1))
        elif task.function is measure_latencies:
            future.set_result({config.id: latency_of(config) for config in task.args[0]})
        elif task.function is evaluate_candidate:
            self._evaluate(future, task)
        else:
            try:
                future.set_result(task.function(*task.args, **task.kwargs))
            except Exception as error:
                is_users = getattr(error, "is_users", False)
                future.set_exception(TaskFailed(type(error).__name__, str(error), is_users))
        return future

    @property
    def holds(self) -> int:
        """How many candidates were taken up that never end."""
        return sum(map(self.held, self.evaluated))

    def _evaluate(self, future: Future[Any], task: Task) -> None:
        candidate: Candidate = task.args[0]
        needs: Mapping[str, Mapping[str, str]] = task.args[1]
        store: Store = task.args[3]
        try:
            for hash in (hash for kept in needs.values() for hash in kept.values()):
                store.path(hash)
        except NotFound as lost:
            future.set_exception(TaskFailed("NotFound", str(lost), False))
            return
        self.evaluated.append(candidate)
        if self.held(candidate):
            future.set_running_or_notify_cancel()
            return
        if task.report:
            point = CurvePoint(step=1, epoch=0, metrics={"loss": 1.0, "accuracy": 0.5})
            task.report(Reported(point, 1, "accuracy"))
        if error := self.broken(candidate):
            future.set_exception(TaskFailed("Diverged", error, False))
        else:
            kept = {"weights": store.put(candidate.key.encode())} if task.kwargs["keep_weights"] else {}
            future.set_result(
                outcome_of(candidate, self.execution).model_copy(update={"artifacts": kept, "seconds": self.seconds})
            )

    def cancel(self, future: Future[Any]) -> None:
        self.cancelled.append(future)

    def shutdown(self) -> None:
        pass


def latency_of(config: ChannelConfig) -> tuple[Latency, ...]:
    """A millisecond for every hundred channels; sixteen images take ten times as long."""
    one = sum(config.widths.values()) / 100
    told: dict[str, Any] = {"threads": 1, "machine": "none", "runs": 3}
    return tuple(
        Latency(images=images, median_ms=ms, quartiles_ms=(0.9 * ms, 1.1 * ms), **told)
        for images, ms in ((1, one), (16, 10 * one))
    )


def outcome_of(candidate: Candidate, execution: Execution) -> Result:
    """Automatic is better than uniform, which is better than random; a little noise by key."""
    known = {"sparse": 0.9, "dense": 0.9, "pruned": 0.8, "random": 0.6, "ticket": 0.9}
    base = known.get(candidate.origin.kind, 0.7)
    noise = int(hashlib.sha256(candidate.key.encode()).hexdigest()[:4], 16) / 65536 / 100
    given = candidate.origin.parameters.get("stage 0", 1.0)
    keep = candidate.budget.keep if isinstance(candidate.budget, Budget) else given
    made_by = MadeBy(espalier=VERSION, torch="0", execution=execution)
    return result(candidate, base + noise, max(1, round(1000 * keep)), seconds=0.01, made_by=made_by)
