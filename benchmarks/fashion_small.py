"""Make the small data set that is shipped: `python -m benchmarks.fashion_small FOLDER`.

FOLDER holds Fashion-MNIST as torchvision keeps it (FashionMNIST/raw). Of every class the first 600 training and the
first 100 test images stay, in the order in which they come.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchvision.datasets import FashionMNIST

from espalier.search.datasets.fashion_small import FILE

PER_CLASS = {"train": 600, "test": 100}


def main(folder: Path) -> None:
    """Write the arrays."""
    arrays: dict[str, NDArray[np.uint8]] = {}
    for part, count in PER_CLASS.items():
        whole = FashionMNIST(folder, train=part == "train")
        labels = whole.targets.numpy().astype(np.uint8)
        kept = np.sort(np.concatenate([np.flatnonzero(labels == one)[:count] for one in np.unique(labels)]))
        arrays |= {f"{part}_x": whole.data.numpy()[kept], f"{part}_y": labels[kept]}
    np.savez_compressed(FILE, **arrays)  # type: ignore[arg-type]  # numpy's stub takes `allow_pickle` for one of them
    sys.stdout.write(f"{FILE.name}: {FILE.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
