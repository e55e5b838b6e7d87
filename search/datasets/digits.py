"""scikit-learn's digits: a data set that needs no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from espalier.search.datasets.base import Dataset, Images, Raw
from espalier.search.datasets.recipes import PAPER, QUICK, for_signs


def _read_digits(_root: Path) -> Raw:
    """scikit-learn's 1797 hand-written digits, enlarged to 32x32; the last fifth, by other writers, is for testing."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    enlarged = [
        Image.fromarray((image * 255 / 16).round().astype(np.uint8)).resize((32, 32), Image.Resampling.BICUBIC)
        for image in digits.images
    ]
    x = np.stack([np.asarray(image) for image in enlarged])[:, None]
    y = digits.target.astype(np.int64)
    test = np.arange(len(y)) >= 4 * len(y) // 5
    return Raw(Images(x[~test], y[~test]), Images(x[test], y[test]), tuple(map(str, digits.target_names)))


DIGITS = Dataset(
    "digits",
    "1,797 hand-written digits of scikit-learn, 8x8 grey enlarged to 32x32; needs no download",
    _read_digits,
    {"quick": for_signs(QUICK, epochs=12, batch_size=32, lr=0.05), "paper": for_signs(PAPER)},
)
