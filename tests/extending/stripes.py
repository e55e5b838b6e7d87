"""A data set: stripes that lie or stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from espalier.search.datasets.base import Dataset, Images, Raw
from espalier.search.recipe import Flip, Recipe


def _read(_root: Path) -> Raw:
    draws = np.random.default_rng(0)
    y = draws.integers(0, 2, 256)
    noise = draws.integers(0, 100, (256, 1, 16, 16))
    lying = np.broadcast_to((np.arange(16) // 2 % 2)[:, None] * 155, (16, 16))
    x = (noise + np.where(y[:, None, None, None] == 1, lying, lying.T)).astype(np.uint8)
    return Raw(Images(x[:192], y[:192]), Images(x[192:], y[192:]), ("standing", "lying"))


_QUICK = Recipe(epochs=2, batch_size=32, lr=0.05, augment=(Flip(),))

STRIPES = Dataset("stripes", "256 pictures of stripes", _read, {"quick": _QUICK, "paper": _QUICK})
