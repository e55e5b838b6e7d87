"""The whole network, trained the way a pruning method asks: the parent of what the method prunes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from espalier.search.arms.base import Context, Origin, Planned, Role, Start
from espalier.search.spec import JobSpec, MethodSpec


class Sparse(Origin):
    """A method's trained parent. It is no point of the front."""

    kind: Literal["sparse"] = "sparse"
    role: ClassVar[Role] = "parent"
    method: MethodSpec

    @property
    def name(self) -> str:
        return f"{self.method} parent"

    @classmethod
    def plan(cls, spec: JobSpec) -> Iterator[Planned]:
        """One for each method, trained with the first seed."""
        for method in spec.methods:
            yield Planned(cls(method=method), spec.seeds[0])

    def derive(self, context: Context) -> Start:
        """Fresh weights, as the method wants them."""
        from espalier.search.methods import create

        method = create(self.method)
        network = context.dense.fresh(context.seed)
        method.prepare(network)
        return Start(network, method)
