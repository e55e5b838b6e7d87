"""Lottery tickets as a job asks for them. No torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from espalier.models.document import Frozen

Cut = Annotated[float, Field(strict=True, ge=0, lt=1)]
TicketControlName = Literal["reinit", "random", "random_across", "one_shot", "continued", "lr_rewound"]


class TicketRates(Frozen):
    """How lottery tickets are found: what each round cuts of a trained network, and where the rest is set back to."""

    grain: Literal["weight", "channel"] = Field(
        default="weight", description="single weights by magnitude; or whole channels by the L1 norms of their filters"
    )
    layers: Literal["conv", "linear", "all"] = Field(default="all", description="of which single weights are cut")
    scope: Literal["layer", "global"] = Field(
        default="layer", description="layer: the smallest of each layer go; global: the smallest of all"
    )
    cut: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(
        default=0.2, description="share of what is left that each round cuts"
    )
    conv_cut: Cut | None = Field(default=None, description="of convolutions, if another")
    output_cut: Cut | None = Field(
        default=None, description="of the last layer, if another than half as much (layer) or nothing (global)"
    )
    rewind_steps: Annotated[int, Field(strict=True, ge=0, le=10_000_000)] = Field(
        default=0, description="steps of training after which weights and learning rate are set back to"
    )

    @model_validator(mode="after")
    def _one_rate_where_all_are_one(self) -> Self:
        if self.scope == "global" and self.conv_cut is not None:
            raise ValueError("scope global ranks all layers together, at one rate: leave conv_cut out, and say layers")
        if self.scope == "global" and self.output_cut not in (None, 0, self.cut):
            raise ValueError(
                "scope global ranks all layers together, at one rate: output_cut is 0 where the last layer is to stay "
                f"whole, or as large as cut ({self.cut:g})"
            )
        if self.grain == "channel" and (self.conv_cut is not None or self.output_cut is not None):
            raise ValueError("grain channel cuts the same share of every group: leave conv_cut and output_cut out")
        if self.grain == "channel" and (self.scope != "layer" or self.layers != "all"):
            raise ValueError("grain channel cuts the same share of every group of channels: leave scope and layers out")
        return self


class Tickets(TicketRates):
    """Lottery tickets of the target, round by round, and what they are held against."""

    rounds: Annotated[int, Field(strict=True, ge=1, le=60)] = 8
    controls: tuple[TicketControlName, ...] = Field(
        default=("reinit",),
        max_length=6,
        description="reinit: the ticket's mask over other first weights; random, random_across: as many weights (or "
        "channels) drawn in each layer, or across layers; one_shot: as sparse in one round; continued: weights are set "
        "back only in the end; lr_rewound: only the learning rate is",
    )

    @property
    def rates(self) -> TicketRates:
        """How they are found, whatever they are held against."""
        return TicketRates(**self.model_dump(include=set(TicketRates.model_fields)))
