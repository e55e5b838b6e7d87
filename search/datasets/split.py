"""Which training images are held out: a tenth of every class, the same in every run, on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from espalier.search.datasets.base import Labels

HOLDOUT = 0.1
HOLDOUT_MOST = 5000
"""Of all classes together, but for rounding."""


def held_out(y: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to train on and indices to hold out, each in random order.

    Every class with two images or more gives at least one, and keeps at least one; a class of one image keeps it.
    """
    order = np.random.default_rng(0).permutation(len(y))
    share = min(HOLDOUT, HOLDOUT_MOST / max(1, len(y)))
    out = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        images = order[y[order] == label]
        count = max(1, round(share * len(images))) if len(images) > 1 else 0
        out[images[:count]] = True
    return order[~out[order]], order[out[order]]
