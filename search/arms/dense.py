"""The whole network, for comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from espalier.search.arms.base import Context, Origin, Planned, Role, Start
from espalier.search.spec import JobSpec


class Dense(Origin):
    """The whole network."""

    kind: Literal["dense"] = "dense"
    role: ClassVar[Role] = "reference"

    @classmethod
    def plan(cls, spec: JobSpec) -> Iterator[Planned]:
        """One for each seed."""
        for seed in spec.seeds:
            yield Planned(cls(), seed)

    def derive(self, context: Context) -> Start:
        """Fresh weights."""
        return Start(context.dense.fresh(context.seed))
