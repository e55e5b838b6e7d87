"""What a job asks, in full. No torch."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from espalier.models.document import Document, content_hash
from espalier.search.recipe import FineTuning, Name, Recipe
from espalier.search.spec import INHERITING, Budget, Init, JobSpec, MethodSpec, Ranking, Ratios


class Place(NamedTuple):
    """A channel group of the dense network."""

    name: str
    width: int
    stage: int
    """From 0; each has half of the resolution of the one before."""


class Question(Document):
    """What a job asks, in full: all that its candidates follow from. Stored with the job."""

    schema_version: int = 1
    spec: JobSpec
    recipe: Recipe
    data: str = Field(description="fingerprint of the data set's content")
    groups: tuple[Place, ...] = Field(default=(), description="of the dense network, in order")
    plain: tuple[Name, ...] = Field(
        default=(), description="methods whose parent is trained like any network: the dense one is theirs, too"
    )
    untrained: tuple[Name, ...] = Field(default=(), description="methods whose parent is not trained at all")
    given: tuple[Name, ...] = Field(default=(), description="methods that are given their widths")
    own_parent_only: tuple[Name, ...] = Field(
        default=(), description="methods that rank by what only a parent trained their way has"
    )
    grains: dict[Name, Literal["block", "weight"]] = Field(
        default_factory=dict, description="what methods rank, where it is not channels"
    )
    selects: bool = Field(
        default=False, description="whether channels are selected from a stream, so that it matters which ones stay"
    )
    batch_norm: bool = Field(default=True, description="whether the network has any batch norm")
    draws: dict[str, int] = Field(
        default_factory=dict,
        description="hash of a budget -> how many random widths are trained with the compute of one method's parent",
    )
    trained_as: dict[str, MethodSpec] = Field(
        default_factory=dict,
        description="hash of a method -> whose parent is its own, too, where the two differ in how they rank alone",
    )
    fine_tuning: dict[Name, FineTuning] = Field(
        default_factory=dict, description="how a method's inherited weights are trained on"
    )

    def parent_seed(self, seed: int) -> int:
        """The seed of the dense networks that a seed's networks prune or learn from."""
        return seed if self.spec.parents == "per_seed" else self.spec.all_seeds[0]

    def draws_for(self, budget: Budget | Ratios) -> int:
        """How many random widths the best is taken of."""
        return self.draws.get(content_hash(budget), 1)

    def finds_widths(self, method: MethodSpec, budget: Budget | Ratios) -> bool:
        """Whether a method's ranking decides how many channels each group keeps, and not which alone."""
        return isinstance(budget, Budget) and method.name not in self.given

    def is_controlled(self, method: MethodSpec, budget: Budget | Ratios, ranking: Ranking, init: Init) -> bool:
        """Whether another ranking makes another network than the method's own, that begins in this way."""
        grain = self.grains.get(method.name)
        if ranking == "no_penalty" and (not self.has_own_parent(method) or method.name in self.own_parent_only):
            return False
        if grain == "block":
            return ranking != "shuffled"  # within a block there is nothing to shuffle
        if grain == "weight" or init in INHERITING or self.selects:
            return True
        return ranking != "shuffled" and self.finds_widths(method, budget)  # from scratch only widths matter

    def is_trained_anyway(self, method: MethodSpec, budget: Budget | Ratios) -> bool:
        """Whether what a method finds is another arm's network, too, when it is trained from scratch: where widths are
        given, and only widths matter, uniform ones or those of an earlier method are the same."""
        if self.selects or self.finds_widths(method, budget) or INHERITING.isdisjoint(self.spec.inits):
            return False
        if isinstance(budget, Budget) and "uniform" in self.spec.baselines:
            return True
        return method != next(one for one in self.spec.methods if not self.finds_widths(one, budget))

    def parent_method(self, method: MethodSpec) -> MethodSpec:
        """The method as the training of its parent knows it."""
        return self.trained_as.get(content_hash(method), method)

    def has_own_parent(self, method: MethodSpec) -> bool:
        """Whether a method wants a parent that is trained its own way."""
        return method.name not in self.plain
