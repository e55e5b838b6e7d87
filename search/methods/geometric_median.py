"""Filter pruning by geometric median (He et al. 2019, 1811.00250, equation 4)."""

from __future__ import annotations

import torch
from torch import Tensor

from espalier.models.document import NoOptions
from espalier.search.methods.filters import FilterMethod


class GeometricMedian(FilterMethod[NoOptions]):
    """Cuts the filters that the others of their layer replace best: those nearest to all of them."""

    Options = NoOptions

    def of_filters(self, filters: Tensor) -> Tensor:
        """Sum of the distances to all others."""
        return torch.cdist(filters, filters).sum(1)
