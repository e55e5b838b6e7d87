"""Trials of a sampler: widths that it proposes, judged by a proxy of their accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from espalier.models.document import content_hash
from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.question import Question
from espalier.search.spec import Init

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start

Proxy = Literal["adaptive_bn", "short"]
"""adaptive_bn: the dense network's weights, with batch norm's statistics taken anew (Li et al. 2020, EagleEye);
short: fresh weights, trained for a quarter of the epochs."""


class Trial(Origin):
    """Widths that somebody proposes, for a proxy to judge. It is no point of the front."""

    kind: Literal["trial"] = "trial"
    role: ClassVar[Role] = "parent"
    leaves: ClassVar[Literal["weights", "notes"]] = "notes"
    proxy: Proxy
    widths: dict[str, int]
    shares: tuple[float, ...] = Field(description="of each stage's channels, from the first")

    @property
    def subject(self) -> str:
        """By which proxy."""
        return f"trial by {self.proxy}"

    @property
    def detail(self) -> str:
        """Which widths they are."""
        return content_hash(self.widths, 6)

    @property
    def init(self) -> Init:
        """How its weights began."""
        return "untuned" if self.proxy == "adaptive_bn" else "scratch"

    @property
    def parameters(self) -> Mapping[str, float]:
        """What a sampler had to choose."""
        return {f"stage {number}": share for number, share in enumerate(self.shares)}

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:  # noqa: ARG003
        """None beforehand: what is tried depends on what came of others."""
        yield from ()

    def derive(self, given: Derivation) -> Start:
        """Fresh weights in these widths, or the parent's."""
        return given.recalibrated(self.widths) if self.proxy == "adaptive_bn" else given.wide(self.widths)
