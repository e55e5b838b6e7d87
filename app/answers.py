"""What is asked of jobs over and over: worked out once, and kept for as long as nothing changes in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any, NamedTuple, TypeVar

from cachetools import LRUCache

from espalier.search.answers.front import fronts
from espalier.search.answers.patterns import Patterns
from espalier.search.answers.tickets import TicketAnswer, tickets
from espalier.search.answers.values import Answer, CostName, Outcomes, Pareto
from espalier.search.answers.verdict import answer
from espalier.search.candidates import Candidate
from espalier.search.results import Latencies
from espalier.search.spec import JobSpec
from espalier.storage import candidates, jobs, measurements, patterns
from espalier.storage.database import Database
from espalier.storage.events import added_seeds, last_change

MOST = 20_000
"""Candidates of jobs that are kept; each takes some kilobytes."""

T = TypeVar("T")
Stamp = tuple[int, int]


class Stored(NamedTuple):
    """What answers are made of."""

    spec: JobSpec
    outcomes: Outcomes
    """Everything that was trained, in brief."""
    failed: Sequence[Candidate]
    latencies: Latencies
    added: Sequence[int]
    """Seeds that were asked for when it had ended."""
    patterns: Patterns


class JobAnswers:
    """What can be said of a job as it stood when it was first asked for anything; each answer is worked out once."""

    def __init__(self, database: Database, job_id: str, stamp: Stamp, size: int) -> None:
        self.stamp = stamp
        """Of its last change."""
        self.size = size
        """Candidates."""
        self._database = database
        self._job_id = job_id
        self._lock = RLock()  # whoever asks for the same waits, and does not work it out again
        self._known: dict[str, Any] = {}
        self._fronts: dict[CostName, Pareto] = {}

    @property
    def stored(self) -> Stored:
        """What there is of it."""
        return self.once("stored", self._from_database)

    def front(self, cost: CostName) -> Pareto:
        """Cost against accuracy."""
        return self.fronts(cost)[cost]

    def fronts(self, *costs: CostName) -> dict[CostName, Pareto]:
        """The same over several costs; what each point is is found once for all that are not known yet."""
        with self._lock:
            new = [cost for cost in costs if cost not in self._fronts]
            if new:
                self._fronts |= fronts(self.stored.outcomes, new, self.stored.latencies)
            return {cost: self._fronts[cost] for cost in costs}

    @property
    def verdict(self) -> Answer:
        """Whether automatic pruning is better."""
        found = self.stored
        return self.once("verdict", lambda: answer(found.outcomes, found.spec.looks, found.failed, found.added))

    @property
    def tickets(self) -> TicketAnswer:
        """Of lottery tickets."""
        return self.once("tickets", lambda: tickets(self.stored.outcomes))

    def _from_database(self) -> Stored:
        with self._database.session() as session:
            job = jobs.get(session, self._job_id)
            outcomes = measurements.of_job(session, job.id)
            return Stored(
                spec=JobSpec.read(job.spec),
                outcomes=outcomes,
                failed=candidates.failed(session, job.id),
                latencies=jobs.latencies_of(job),
                added=added_seeds(session, job.id) if job.attempts > 1 else (),  # else it had not ended before
                patterns=patterns.found_by(job, outcomes),
            )

    def once(self, name: str, work_out: Callable[[], T]) -> T:
        """What follows from these answers alone, under a name of its own: worked out the first time."""
        with self._lock:
            if name not in self._known:
                self._known[name] = work_out()
            known: T = self._known[name]
            return known


class Answers:
    """The answers of the jobs that were asked for last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = RLock()
        self._jobs: LRUCache[str, JobAnswers] = LRUCache(MOST, getsizeof=lambda one: one.size)

    def of(self, job_id: str) -> JobAnswers:
        """A job as it stands. Raises NotFound."""
        with self._database.session() as session:
            job = jobs.get(session, job_id)
            stamp = last_change(session, job_id)
        with self._lock:
            known = self._jobs.get(job_id)
            if known is None or known.stamp != stamp:
                known = JobAnswers(self._database, job_id, stamp, min(MOST, job.total + 1))
                self._jobs[job_id] = known
            return known
