"""Sampled widths: what a search by proposals and proxies finds for a budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Planned, Role, Sized
from espalier.search.question import Question

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Sampled(Sized):
    """The best of a sampler's trials that a budget has room for, widened in proportion until it is met."""

    kind: Literal["sampled"] = "sampled"
    role: ClassVar[Role] = "automatic"
    sampler: str

    @property
    def subject(self) -> str:
        """By which sampler."""
        return f"sampled by {self.sampler}"

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:  # noqa: ARG003
        """None beforehand: trials come first."""
        yield from ()

    def derive(self, given: Derivation) -> Start:
        """Fresh weights; each group as wide as in the trial, in proportion."""
        return given.scaled("best", self.budget)
