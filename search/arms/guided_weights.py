"""Guided sparsification: single weights drawn by a pattern found elsewhere (Liu et al. 2019, section 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from espalier.search.arms.following import Following
from espalier.search.spec import Kernel

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class GuidedWeights(Following):
    """Places of 3x3 kernels stay as often as a pattern says of their stage, in proportion, until the budget is met."""

    what: ClassVar[str] = "kernels"
    kind: Literal["guided_weights"] = "guided_weights"
    kernels: tuple[Kernel, ...] = Field(min_length=1, description="by stage, from the first")

    def derive(self, given: Derivation) -> Start:
        """Weights of other kernels stay as often as those of 3x3 kernels do in the mean."""
        return given.by_kernels(self.kernels, self.budget)
