"""What an arm is: where a network's channels come from and how its training starts. No torch: names and values only."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from espalier.models.document import Frozen
from espalier.search.question import Question
from espalier.search.recipe import Recipe
from espalier.search.spec import Budget, Init, Ratios

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start

Role = Literal["parent", "reference", "automatic", "baseline"]
"""parent: trained for others to read, no point of the front; reference: the dense network; automatic: widths that a
method found; baseline: what those are held against."""


class Origin(Frozen):
    """Where channels come from. One subclass, one file and one line in `ARMS` for each kind.

    The fields are all that is particular to an arm. `budget`, `method` and `init` mean the same in every kind that has
    them.
    """

    kind: str
    role: ClassVar[Role]
    leaves: ClassVar[Literal["weights", "notes"]] = "weights"
    """What is kept of it for those that need it: its weights; or what it is and what it took alone."""

    @property
    def subject(self) -> str:
        """Where its channels come from, in a few words, however they are trained."""
        return self.kind

    @property
    def name(self) -> str:
        """The arm in a few words, without its budget: what its curve is called."""
        return self.subject

    @property
    def detail(self) -> str:
        """What tells arms of one name and budget apart, in a few words."""
        return ""

    @property
    def parameters(self) -> Mapping[str, float]:
        """What a sampler had to choose, by name; numbers in [0, 1]."""
        return {}

    @classmethod
    @abstractmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """The candidates of this kind that a job asks for."""

    @abstractmethod
    def derive(self, given: Derivation) -> Start:
        """The network of one candidate, with the weights it starts from. Raises SpecError or ModelError."""


class Sized(Origin):
    """Widths for a budget, with weights that begin in one of several ways."""

    budget: Budget | Ratios
    init: Init = "scratch"

    @property
    def name(self) -> str:
        """Where its channels come from, and how its weights began."""
        return self.subject if self.init == "scratch" else f"{self.subject} {self.init}"


class Planned(NamedTuple):
    """A candidate that is wanted: its origin, its seed, how it is trained, and by role the candidates whose results it
    needs."""

    origin: Any  # an Origin; mypy knows no NamedTuple of a class that names it
    seed: int
    recipe: Recipe
    needs: Mapping[str, Planned] = {}
    best_of: Sequence[Planned] = ()
    """Others to choose from: once they have come to an end, it needs the best on the hold-out as `best`, and the rest
    for what they took."""
