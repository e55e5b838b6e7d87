"""Automatic widths: what a method's scores on its trained parent make of a budget."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import ClassVar, Literal

from espalier.search.arms.base import Context, Origin, Planned, Role, Start
from espalier.search.arms.sparse import Sparse
from espalier.search.recipe import Recipe, fine_tuning
from espalier.search.spec import Budget, Init, JobSpec, MethodSpec, Ratios


class Pruned(Origin):
    """Widths from a method's scores; trained from scratch, or fine-tuned with the parent's weights."""

    kind: Literal["pruned"] = "pruned"
    role: ClassVar[Role] = "automatic"
    method: MethodSpec
    budget: Budget | Ratios
    init: Init = "scratch"

    @property
    def name(self) -> str:
        return str(self.method) + ("" if self.init == "scratch" else f" {self.init}")

    def recipe(self, recipe: Recipe) -> Recipe:
        """Inherited weights are fine-tuned."""
        return recipe if self.init == "scratch" else fine_tuning(recipe)

    @classmethod
    def plan(cls, spec: JobSpec) -> Iterator[Planned]:
        """Every method at every budget, with every start, for every seed; all seeds have one parent."""
        for seed, budget, method, init in product(spec.seeds, spec.budgets, spec.methods, spec.inits):
            parent = Planned(Sparse(method=method), spec.seeds[0])
            yield Planned(cls(method=method, budget=budget, init=init), seed, {"parent": parent})

    def derive(self, context: Context) -> Start:
        """Rank the parent's channels, keep as many as the budget has room for."""
        from espalier.models.network import Network, thinned
        from espalier.search import allocate
        from espalier.search.methods import create

        coupling, keep, path = context.dense.coupling, context.minimum_keep, context.needs["parent"]
        scores, method = context.score(self.method, path), create(self.method)
        if isinstance(self.budget, Ratios):
            widths = allocate.by_ratios(coupling.groups, self.budget, keep)
        else:
            order = allocate.by_scores(coupling.groups, scores, keep)
            widths = allocate.allocate(order, coupling, self.budget, keep)
        parent = context.read(path)
        mask = method.select(parent, scores, widths)
        if self.init == "scratch":
            return Start(Network.of(thinned(context.dense, mask)).fresh(context.seed))
        network = parent.network.prune(mask)
        method.repair(network, parent, mask)
        return Start(network)
