"""A planner: the first seed first; the others only once it is through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from espalier.models.document import NoOptions
from espalier.search.arms import ARMS
from espalier.search.candidates import Candidate
from espalier.search.planners.base import Planner
from espalier.search.results import Outcome


class Cautious(Planner[NoOptions]):
    """One seed, then all."""

    Options = NoOptions

    def next(self, done: Mapping[str, Outcome]) -> Sequence[Candidate]:
        """What the first seed asks for; once that is done, everything."""
        spec = self.question.spec
        wanted = [planned for origin in ARMS.values() for planned in origin.plan(self.question)]
        first = self.candidates((one for one in wanted if one.seed == spec.seeds[0]), done)
        return self.candidates(wanted, done) if all(one.key in done for one in first) else first
