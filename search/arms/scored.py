"""What arms share whose widths come of a method's scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from espalier.search.arms.base import Sized
from espalier.search.spec import INHERITING, MethodSpec, Ranking

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Scored(Sized):
    """Widths from a method's scores; trained from scratch, or with the parent's weights."""

    method: MethodSpec
    lr: float | None = Field(
        default=None, exclude_if=lambda lr: lr is None, description="of fine-tuning, where it is one of several"
    )

    @property
    def control(self) -> Ranking | None:
        """What becomes of the scores before they rank."""
        return None

    @property
    def detail(self) -> str:
        """The learning rate, where it is one of several."""
        return "" if self.lr is None else f"lr={self.lr:g}"

    @property
    def subject(self) -> str:
        """The method with its options, and what became of its scores."""
        return f"{self.method} {self.control}" if self.control else str(self.method)

    def derive(self, given: Derivation) -> Start:
        """Rank the parent's channels, keep as many as the budget has room for."""
        mask = given.ranked(self.method, self.budget, self.control)
        return given.inherited(self.method, mask) if self.init in INHERITING else given.fresh(mask)
