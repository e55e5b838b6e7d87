"""Data sets as arrays on disk: split once, read once, and shared between processes through the page cache.

Splits are fixed: the hold-out is the same tenth of the training images in every run, on every machine.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from espalier.search.datasets.base import Bytes, Data, Images, Raw

HOLDOUT = 0.1
HOLDOUT_MOST = 5000
CACHE_VERSION = 1


def stored(name: str, cache: Path, read: Callable[[], Raw]) -> Data:
    """The data set of that name, from `cache`; read and stored there first, if it is not yet."""
    store = cache / "datasets" / f"{name}-{CACHE_VERSION}"
    if not store.is_dir():
        store.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{store}.lock"):
            if not store.is_dir():
                for left in store.parent.glob(f".new-{store.name}-*"):  # by a process that was killed
                    shutil.rmtree(left, ignore_errors=True)
                _store(read(), store)
    return _open(store)


def _store(raw: Raw, store: Path) -> None:
    """Split, measure and write; a half-written store never gets the final name."""
    work = Path(tempfile.mkdtemp(dir=store.parent, prefix=f".new-{store.name}-"))
    try:
        order = np.random.default_rng(0).permutation(len(raw.train))
        count = min(HOLDOUT_MOST, max(1, round(HOLDOUT * len(order))))
        parts = {
            "train": Images(raw.train.x[order[count:]], raw.train.y[order[count:]]),
            "holdout": Images(raw.train.x[order[:count]], raw.train.y[order[:count]]),
            "test": raw.test,
        }
        for part, images in parts.items():
            np.save(work / f"{part}_x.npy", images.x)
            np.save(work / f"{part}_y.npy", images.y)
        means, squares = _moments(parts["train"].x)
        deviations = np.sqrt(np.maximum(squares - means**2, 1e-6))
        about = {"classes": raw.classes, "mean": means.tolist(), "std": deviations.tolist()}
        (work / "about.json").write_text(json.dumps(about))
        work.rename(store)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _moments(x: Bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and mean square of each channel, pixels in [0, 1]; by histogram, exact and without a float copy."""
    levels = np.arange(256) / 255
    counts = np.stack([np.bincount(x[:, c].ravel(), minlength=256) for c in range(x.shape[1])])
    shares = counts / counts.sum(axis=1, keepdims=True)
    return shares @ levels, shares @ levels**2


def _open(store: Path) -> Data:
    about = json.loads((store / "about.json").read_text())

    def part(name: str) -> Images:
        return Images(np.load(store / f"{name}_x.npy", mmap_mode="r"), np.array(np.load(store / f"{name}_y.npy")))

    return Data(
        part("train"), part("holdout"), part("test"),
        tuple(about["classes"]), tuple(about["mean"]), tuple(about["std"]), store.name,
    )  # fmt: skip
