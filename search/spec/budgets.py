"""How much of the dense network may stay. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from espalier.models.document import Frozen, content_hash

CostMetric = Literal["params", "macs", "channels"]
Share = Annotated[float, Field(strict=True, gt=0, le=1)]


class Budget(Frozen):
    """How much of the dense network may stay."""

    metric: CostMetric
    keep: Share = Field(description="share of the dense network's cost that may stay, in (0, 1]")

    def __str__(self) -> str:
        return f"{self.metric}={self.keep:g}"


class Ratios(Frozen):
    """Widths given beforehand: what each channel group, or each stage, keeps. What is not named stays whole.

    Baselines are made as large as the network that the ratios give, in `metric`.
    """

    by: Literal["group", "stage"]
    ratios: dict[str, Share] = Field(min_length=1, description="group name, or number of a stage from 0 -> share kept")
    metric: Literal["params", "macs"] = Field(default="params", description="what baselines match")
    name: Annotated[str, StringConstraints(max_length=100)] = Field(
        default="", exclude_if=lambda name: not name, description="what they are called"
    )

    def __str__(self) -> str:
        return self.name or f"ratios {content_hash(self, 6)}"


MEANT_BUDGETS = ("a share of a cost", "ratios")
"""What a budget may be meant as; see `seeds.MEANT_SEEDS`."""


def _meant(budget: Any) -> str:
    return MEANT_BUDGETS[isinstance(budget, Ratios) or (isinstance(budget, Mapping) and "ratios" in budget)]


AskedBudget = Annotated[
    Annotated[Budget, Tag(MEANT_BUDGETS[0])] | Annotated[Ratios, Tag(MEANT_BUDGETS[1])], Discriminator(_meant)
]
"""A budget of a spec: what is wrong is told of what was meant alone."""
