"""What a planner is: it says which candidates may be tried next, given what is known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from espalier.models.document import Frozen
from espalier.search.arms.base import Planned
from espalier.search.candidates import Candidate
from espalier.search.question import Question
from espalier.search.results import Outcome, Result

OptionsT = TypeVar("OptionsT", bound=Frozen)


class Planner(ABC, Generic[OptionsT]):
    """Decides which candidates are tried. It keeps nothing: what it says follows from the question and what is done.

    A new one is one file with one subclass, and one line in `PLANNERS`; only `next` must be written.
    """

    Options: ClassVar[type[Frozen]]
    """What can be set, with defaults: a closed pydantic model, published in the catalog."""

    def __init__(self, question: Question, options: OptionsT) -> None:
        self.question = question
        self.options = options

    @abstractmethod
    def next(self, done: Mapping[str, Outcome]) -> Sequence[Candidate]:
        """What is to be tried, what it needs first; `done` has by key what came of candidates so far.

        Candidates that it named before may be among them: each is tried once. It is asked first with nothing done,
        and again whenever nothing of what it named is left to run; when it names nothing new, the job has ended.
        """

    def most(self) -> int:
        """How many candidates it may name in all."""
        return len(self.next({}))

    def may_need(self, candidate: Candidate) -> bool:
        """Whether others that are not named yet may need what it leaves."""
        return candidate.arm.role == "parent"

    def candidates(self, planned: Iterable[Planned], done: Mapping[str, Outcome]) -> list[Candidate]:
        """Candidates of this question, each once, what they need before them. Those that choose from others come once
        these are done."""
        naming = _Naming(self._candidate, done)
        for one in planned:
            naming.key(one)
        return list(naming.found.values())

    def key(self, planned: Planned, done: Mapping[str, Outcome]) -> str | None:
        """The key of a candidate; None if it cannot be named yet."""
        return _Naming(self._candidate, done).key(planned)

    def arm(self, planned: Planned) -> str:
        """The id of the arm that a candidate is a sample of."""
        return self._candidate(planned, {}).arm.id

    def _candidate(self, planned: Planned, needs: dict[str, str]) -> Candidate:
        return Candidate(
            origin=planned.origin,
            target=self.question.spec.target,
            recipe=planned.recipe,
            data=self.question.data,
            seed=planned.seed,
            minimum_keep=self.question.spec.minimum_keep,
            needs=needs,
        )


class _Naming:
    """Names candidates: those that many need, once."""

    def __init__(self, name: Callable[[Planned, dict[str, str]], Candidate], done: Mapping[str, Outcome]) -> None:
        self.name = name
        self.done = done
        self.found: dict[str, Candidate] = {}
        """By key, what is needed first."""
        self._known: dict[int, tuple[Planned, str | None]] = {}

    def key(self, planned: Planned) -> str | None:
        """The key of a candidate; None if it, or what it needs, cannot be named yet."""
        if id(planned) not in self._known:  # it is kept, so that no other takes its id
            self._known[id(planned)] = planned, self._key(planned)
        return self._known[id(planned)][1]

    def _key(self, planned: Planned) -> str | None:
        needs = {role: self.key(needed) for role, needed in planned.needs.items()}
        if planned.best_of:
            ranked = self._ranked([self.key(one) for one in planned.best_of])
            needs |= {f"choice {place}" if place > 1 else "best": key for place, key in enumerate(ranked or [None], 1)}
        known = {role: key for role, key in needs.items() if key is not None}
        if len(known) < len(needs):
            return None
        candidate = self.name(planned, known)
        self.found.setdefault(candidate.key, candidate)
        return candidate.key

    def _ranked(self, keys: Iterable[str | None]) -> list[str]:
        """Those that have a result, the best on the hold-out first; none before all have come to an end. Where all
        failed, those: what needs them fails as well, and says why."""
        outcomes = [self.done.get(key or "") for key in dict.fromkeys(keys)]
        known = [one for one in outcomes if one is not None]
        if len(known) < len(outcomes):
            return []
        results = [one for one in known if isinstance(one, Result)]
        results.sort(key=lambda one: -one.metric.sign * one.chosen_by)
        return [one.key for one in results or known]
