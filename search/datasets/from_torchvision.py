"""Data sets that torchvision reads, and downloads where they are not there."""

from __future__ import annotations

import urllib.error
from collections.abc import Callable
from pathlib import Path

import numpy as np

from espalier.search.datasets.base import Dataset, Images, Raw, channels_first
from espalier.search.datasets.recipes import PAPER, QUICK, for_signs
from espalier.search.errors import DataUnavailable


def _torchvision(name: str) -> Callable[[Path], Raw]:
    def read(root: Path) -> Raw:
        from torchvision import datasets

        kind = getattr(datasets, name)
        try:
            parts = [kind(root, train=train, download=True) for train in (True, False)]
        except (OSError, RuntimeError, urllib.error.URLError) as error:
            raise DataUnavailable(
                f"{name} is not in the data root and could not be downloaded ({error}); "
                "put its files there, connect this machine, or use 'digits' or 'fashion_small', which need no download"
            ) from error
        train, test = (Images(channels_first(p.data), np.asarray(p.targets, dtype=np.int64)) for p in parts)
        return Raw(train, test, tuple(map(str, parts[0].classes)))

    return read


_COLOUR = {"quick": QUICK, "paper": PAPER}
_GREY = {"quick": for_signs(QUICK, epochs=4), "paper": for_signs(PAPER)}

MNIST = Dataset("mnist", "70,000 hand-written digits, 28x28 grey", _torchvision("MNIST"), _GREY)
FASHION_MNIST = Dataset("fashion_mnist", "70,000 pictures of clothes, 28x28 grey", _torchvision("FashionMNIST"), _GREY)
CIFAR10 = Dataset("cifar10", "60,000 photographs in 10 classes, 32x32 colour", _torchvision("CIFAR10"), _COLOUR)
CIFAR100 = Dataset("cifar100", "60,000 photographs in 100 classes, 32x32 colour", _torchvision("CIFAR100"), _COLOUR)
