"""What a planner is: it says which candidates may be tried next, given what is known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from espalier.models.document import Frozen
from espalier.search.arms.base import Planned
from espalier.search.candidates import Candidate
from espalier.search.question import Question
from espalier.search.results import Outcome

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

    def candidates(self, planned: Iterable[Planned]) -> list[Candidate]:
        """Candidates of this question, each once, what they need before them."""
        found: dict[str, Candidate] = {}
        for one in planned:
            self._add(one, found)
        return list(found.values())

    def arm(self, planned: Planned) -> str:
        """The id of the arm that a candidate is a sample of."""
        return self._candidate(planned, {}).arm.id

    def _add(self, planned: Planned, found: dict[str, Candidate]) -> str:
        needs = {role: self._add(needed, found) for role, needed in planned.needs.items()}
        candidate = self._candidate(planned, needs)
        found.setdefault(candidate.key, candidate)
        return candidate.key

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
