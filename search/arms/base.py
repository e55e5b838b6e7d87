"""What an arm is: where a network's channels come from and how its training starts. No torch until it is derived."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from espalier.models.document import Frozen
from espalier.search.recipe import Recipe
from espalier.search.spec import Budget, JobSpec, MethodSpec, Ratios

if TYPE_CHECKING:
    from espalier.models.network import Network
    from espalier.search.allocate import Order
    from espalier.search.methods import PruningMethod
    from espalier.search.methods.base import Parent
    from espalier.search.scores import Scores

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

    @property
    def name(self) -> str:
        """The arm in a few words, without its budget: what its curve is called."""
        return self.kind

    def recipe(self, recipe: Recipe) -> Recipe:
        """How its networks are trained, given how the dense network is."""
        return recipe

    @classmethod
    @abstractmethod
    def plan(cls, spec: JobSpec) -> Iterator[Planned]:
        """The candidates of this kind that a job asks for."""

    @abstractmethod
    def derive(self, context: Context) -> Start:
        """The network of one candidate, with the weights it starts from. Raises SpecError or ModelError."""


class Planned(NamedTuple):
    """A candidate that is wanted: its origin, its seed, and by role the candidates whose results it needs."""

    origin: Any  # an Origin; mypy knows no NamedTuple of a class that names it
    seed: int
    needs: Mapping[str, Planned] = {}


class Context(NamedTuple):
    """What a candidate's network is derived from."""

    dense: Network
    seed: int
    minimum_keep: float
    needs: Mapping[str, Path]
    """Role -> the safetensors file of the candidate that was needed."""
    read: Callable[[Path], Parent]
    """A trained parent, from its file."""
    score: Callable[[MethodSpec, Path], Scores]
    """A method's scores on a trained parent; computed once."""


class Start(NamedTuple):
    """Where training begins."""

    network: Network
    method: PruningMethod[Any] | None = None
    """What training must respect besides the data."""


def thinned_by_order(context: Context, order: Order, budget: Budget | Ratios, draw: int = 0) -> Start:
    """A fresh network whose groups are cut in this order until the budget is met. Where channels are selected from a
    stream, `draw` says which."""
    from espalier.models.network import Network, thinned
    from espalier.search import allocate
    from espalier.search.scores import drawn

    groups, keep = context.dense.groups, context.minimum_keep
    cost = allocate.as_cost(budget, context.dense.coupling, keep)
    widths = allocate.allocate(order, context.dense.coupling, cost, keep)
    config = thinned(context.dense, drawn(groups, widths, draw))
    return Start(Network.of(config).fresh(context.seed))
