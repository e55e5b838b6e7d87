"""What a data set is, as it is read and as it is used. No torch: images are bytes in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from espalier.models.document import Frozen
from espalier.search.recipe import Recipe

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]
Split = Literal["train", "holdout", "test"]


class DataPaths(NamedTuple):
    """Where a process finds data sets, and where it may keep what it prepared from them."""

    datasets: Path
    """Root of image folders and downloads."""
    cache: Path


class Files(Frozen):
    """What image files were before they became arrays."""

    sizes: dict[str, int] = Field(default_factory=dict, description="width x height, upright: how many")
    modes: dict[str, int] = Field(default_factory=dict, description="Pillow's word for the kind of pixels: how many")
    converted: dict[str, int] = Field(default_factory=dict, description="what was done to them: to how many")
    notes: tuple[str, ...] = Field(default=(), description="what else should be known")


@dataclass(frozen=True)
class Images:
    """Images x [n, channels, height, width] as bytes, and their labels y [n]."""

    x: Bytes
    y: Labels

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Data:
    """A data set, split: train to learn from, holdout to choose by, test to report."""

    train: Images
    holdout: Images
    test: Images
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    """Of each channel over the training images, in [0, 1]."""
    std: tuple[float, ...]
    fingerprint: str
    """Names this content: other images, other fingerprint."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """One image: channels, height, width."""
        channels, height, width = self.train.x.shape[1:]
        return channels, height, width

    def batches(self, split: Split, size: int, generator: np.random.Generator | None = None) -> Iterator[Images]:
        """The images of a split, so many at a time; with a generator in random order and full batches alone, the last
        few left out (a split of less than one batch is one)."""
        images: Images = getattr(self, split)
        if generator is None:
            for start in range(0, len(images), size):
                yield Images(np.array(images.x[start : start + size]), images.y[start : start + size])
            return
        order = generator.permutation(len(images))
        for index in range(max(1, len(images) // size)):
            chosen = order[index * size : (index + 1) * size]
            yield Images(images.x[chosen], images.y[chosen])


class Raw(NamedTuple):
    """A data set as it was read, before it is split."""

    train: Images
    test: Images
    classes: tuple[str, ...]
    holdout: Images | None = None
    """Where the data set has one of its own; else it is drawn from the training images."""
    files: Files = Files()
    """What its images were, where they were files."""


@dataclass(frozen=True)
class Dataset:
    """One entry of the registry: how to read it, and how networks are trained on it."""

    name: str
    description: str
    read: Callable[[Path], Raw]
    recipes: Mapping[str, Recipe] = field(repr=False)
    """Presets by name; the first is the default."""


def channels_first(pixels: Any) -> Bytes:
    """Pixels [n, height, width] or [n, height, width, channels] as [n, channels, height, width]."""
    x = np.asarray(pixels, dtype=np.uint8)
    return np.ascontiguousarray(x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2))
