"""The fixed plan: every arm that the spec asks for, over all seeds, or as many as it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain, islice, pairwise

from espalier.models.document import NoOptions
from espalier.search.answers.verdict import compare
from espalier.search.arms import ARMS
from espalier.search.arms.base import Planned
from espalier.search.candidates import Candidate
from espalier.search.errors import SpecError
from espalier.search.planners.base import OptionsT, Planner
from espalier.search.results import Outcome, Result

MOST_CANDIDATES = 5000


class FixedPlan(Planner[OptionsT]):
    """Everything the spec asks for: seed by seed, parents first. At once; or, where seeds are added until it is
    decided, first so many of every arm, and at every look those of arms that take part in an undecided answer."""

    def next(self, done: Mapping[str, Outcome]) -> Sequence[Candidate]:
        """The plan so far. Raises SpecError if it may become too large."""
        spec, planned = self.question.spec, self._planned
        if not spec.looks:
            return self.candidates(planned, done)
        wanted = [one for one in planned if one.seed in spec.all_seeds[: spec.looks[0]]]
        for before, after in pairwise(spec.looks):
            found = self.candidates(wanted, done)
            if any(one.key not in done for one in found):
                return found
            undecided = self._undecided(found, done)
            more = spec.all_seeds[before:after]
            wanted += [one for one in planned if one.seed in more and self.arm(one) in undecided]
        return self.candidates(wanted, done)

    def most(self) -> int:
        """All of every arm, with those that are named once others are done."""
        planned = self._planned
        return len(self.candidates(planned, {})) + sum(bool(one.best_of) for one in planned)

    def _undecided(self, candidates: Sequence[Candidate], done: Mapping[str, Outcome]) -> set[str]:
        """The arms that take part in an answer that is not decided yet."""
        known = [(one, result) for one in candidates if isinstance(result := done[one.key], Result)]
        failed = [one for one in candidates if not isinstance(done[one.key], Result)]
        verdicts = compare(known, self.question.spec.looks, failed)
        undecided = [one for one in verdicts if one.adjusted_answer == "undecided" and one.refused is None]
        return {arm.id for verdict in undecided for arm in (verdict.arm, verdict.baseline_arm)}

    @cached_property
    def _planned(self) -> list[Planned]:
        """All that may be wanted, whatever comes of it."""
        spec = self.question.spec
        wanted = chain.from_iterable(origin.plan(self.question) for origin in ARMS.values())
        planned = list(islice(wanted, MOST_CANDIDATES + 1))
        if len(planned) > MOST_CANDIDATES:
            raise SpecError(f"more than {MOST_CANDIDATES:,} candidates, the most a job may have: split it")
        place = {seed: index for index, seed in enumerate(spec.all_seeds)}
        planned.sort(key=lambda one: (place[one.seed], one.origin.role != "parent"))
        return planned


class Fixed(FixedPlan[NoOptions]):
    """Everything the spec asks for, and nothing else."""

    Options = NoOptions
