"""How much of the dense network may stay. No torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

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
