"""An executor without processes and a search without training: the whole orchestration in milliseconds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from espalier.app.executors import NO_LIMITS, Limits, TaskFailed
from espalier.app.tasks import evaluate_candidate, examine_spec, prepare_job
from espalier.models.config import Cost
from espalier.search.plan import plan
from espalier.search.types import Candidate, Epoch, Execution, JobSpec, MadeBy
from espalier.search.version import VERSION
from tests.search.helpers import result


class FakeExecutor:
    """Runs submitted tasks when it is asked to; training is a formula of the candidate."""

    def __init__(self, cores: int = 2) -> None:
        self.cores = cores
        self.evaluated: list[Candidate] = []
        self.broken: Callable[[Candidate], str | None] = lambda _: None
        """Candidate -> error, for those that shall fail."""
        self.held: Callable[[Candidate], bool] = lambda _: False
        """Candidates that never end."""
        self.cancelled: list[Future[Any]] = []

    def submit(
        self,
        function: Callable[..., Any],
        *args: Any,
        threads: int = 1,
        report: Callable[[Any], None] | None = None,
        limits: Limits = NO_LIMITS,
        **kwargs: Any,
    ) -> Future[Any]:
        del threads, limits
        future: Future[Any] = Future()
        if function is prepare_job:
            future.set_result(Execution())
        elif function is examine_spec:
            future.set_result(_Examined(args[0]))
        elif function is evaluate_candidate:
            self._evaluate(future, args[0], report, kwargs)
        else:
            try:
                future.set_result(function(*args, **kwargs))
            except Exception as error:
                from espalier.models.errors import ModelError
                from espalier.search.errors import SpecError

                is_users = isinstance(error, (SpecError, ModelError))
                future.set_exception(TaskFailed(type(error).__name__, str(error), is_users))
        return future

    @property
    def holds(self) -> int:
        """How many candidates were taken up that never end."""
        return sum(map(self.held, self.evaluated))

    def _evaluate(self, future: Future[Any], candidate: Candidate, report: Any, options: dict[str, Any]) -> None:
        self.evaluated.append(candidate)
        if self.held(candidate):
            future.set_running_or_notify_cancel()
            return
        if report:
            report(Epoch(epoch=0, epochs=1, loss=1.0, holdout=0.5))
        if error := self.broken(candidate):
            future.set_exception(TaskFailed("Diverged", error, False))
        else:
            future.set_result(_Evaluated(candidate, options["keep_weights"]))

    def cancel(self, future: Future[Any]) -> None:
        self.cancelled.append(future)

    def shutdown(self) -> None:
        pass


class _Examined:
    def __init__(self, spec: JobSpec) -> None:
        self.candidates, self.dense, self.epochs, self.macs = plan(spec, "d").candidates, Cost(1000, 10000), 1, 1


class _Evaluated:
    """Pruned is better than uniform, which is better than random; a little noise by key."""

    def __init__(self, candidate: Candidate, keep_weights: bool) -> None:
        base = {"dense": 0.9, "pruned": 0.8, "uniform": 0.7, "random": 0.6}[candidate.origin.kind]
        noise = int(hashlib.sha256(candidate.key.encode()).hexdigest()[:4], 16) / 65536 / 100
        keep = candidate.budget.keep if candidate.budget else 1.0
        self.result = result(
            candidate,
            base + noise,
            max(1, round(1000 * keep)),
            seconds=0.01,
            made_by=MadeBy(espalier=VERSION, torch="0", execution=Execution()),
        )
        self.weights = candidate.key.encode() if keep_weights else None
