"""The whole network, trained the way a pruning method asks: the parent of what the method prunes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.spec import JobSpec, MethodSpec

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Sparse(Origin):
    """A method's trained parent. It is no point of the front."""

    kind: Literal["sparse"] = "sparse"
    role: ClassVar[Role] = "parent"
    method: MethodSpec

    @property
    def name(self) -> str:
        """The method with its options."""
        return f"{self.method} parent"

    @classmethod
    def plan(cls, spec: JobSpec) -> Iterator[Planned]:
        """One for each method, trained with the first seed."""
        for method in spec.methods:
            yield Planned(cls(method=method), spec.seeds[0])

    def derive(self, given: Derivation) -> Start:
        """Fresh weights, as the method wants them."""
        return given.sparse(self.method)
