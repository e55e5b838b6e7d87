"""L1-norm filter pruning (Li et al. 2017, 1608.08710, section 3.1)."""

from __future__ import annotations

from torch import Tensor

from espalier.models.document import NoOptions
from espalier.search.methods.filters import FilterMethod


class L1Norm(FilterMethod[NoOptions]):
    """Keeps the filters whose weights have the largest sum of absolute values. How many each layer keeps is given.

    A budget is shared out evenly; the paper's ratios for each layer are what a job may name instead.
    """

    Options = NoOptions

    def of_filters(self, filters: Tensor) -> Tensor:
        """Sum of |weight|."""
        return filters.abs().sum(1)
