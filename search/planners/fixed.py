"""The fixed plan: every arm that the spec asks for, over all seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, islice

from espalier.models.document import NoOptions
from espalier.search.arms import ARMS
from espalier.search.candidates import Candidate
from espalier.search.errors import SpecError
from espalier.search.planners.base import Planner
from espalier.search.results import Outcome

MOST_CANDIDATES = 5000


class Fixed(Planner[NoOptions]):
    """Everything the spec asks for, at once: seed by seed, parents first."""

    Options = NoOptions

    def next(self, done: Mapping[str, Outcome]) -> Sequence[Candidate]:  # noqa: ARG002  (the plan is what it is)
        """The whole plan. Raises SpecError if it is too large."""
        spec = self.question.spec
        wanted = chain.from_iterable(origin.plan(self.question) for origin in ARMS.values())
        planned = list(islice(wanted, MOST_CANDIDATES + 1))
        if len(planned) > MOST_CANDIDATES:
            raise SpecError(f"more than {MOST_CANDIDATES:,} candidates, the most a job may have: split it")
        place = {seed: index for index, seed in enumerate(spec.seeds)}
        planned.sort(key=lambda one: (place[one.seed], one.origin.role != "parent"))
        return self.candidates(planned)
