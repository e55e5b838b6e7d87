"""A part of Fashion-MNIST, which comes with the package: small enough for a demonstration, hard enough to show
something.

Fashion-MNIST is by Han Xiao, Kashif Rasul and Roland Vollgraf (2017, arXiv 1708.07747), © Zalando SE, under the MIT
licence, which stands beside the file. `python -m benchmarks.fashion_small` makes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from espalier.search.datasets.base import Dataset, Images, Raw, channels_first
from espalier.search.datasets.recipes import PAPER, QUICK, for_signs

FILE = Path(__file__).with_name("fashion_small.npz")
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def _read(_root: Path) -> Raw:
    with np.load(FILE) as arrays:
        train, test = (
            Images(channels_first(arrays[f"{part}_x"]), arrays[f"{part}_y"].astype(np.int64))
            for part in ("train", "test")
        )
    return Raw(train, test, CLASSES)


FASHION_SMALL = Dataset(
    "fashion_small",
    "7,000 pictures of clothes out of Fashion-MNIST, 28x28 grey; needs no download",
    _read,
    {"quick": for_signs(QUICK, epochs=8, batch_size=64, lr=0.05), "paper": for_signs(PAPER)},
)
