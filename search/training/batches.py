"""From a data set's images to batches that a network takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from espalier.search.datasets.base import Data, Split
from espalier.search.recipe import Recipe
from espalier.search.results import Execution
from espalier.search.tasks.base import Batch
from espalier.search.training.augment import augment, normalise, shrink
from espalier.search.training.precision import moved


def training_batches(
    data: Data, recipe: Recipe, generator: np.random.Generator, execution: Execution, small: bool
) -> Iterator[Batch]:
    """One pass over the training images, augmented; the generator says in which order, and how."""
    for images in data.batches("train", recipe.batch_size, generator):
        x = augment(moved(images.x, execution.device), recipe.augment, generator)
        x = normalise(x, data, execution)
        yield Batch(shrink(x) if small else x, moved(images.y, execution.device))


def plain_batches(
    data: Data, split: Split, size: int, execution: Execution, generator: np.random.Generator | None = None
) -> Iterator[Batch]:
    """The images of a split as they are, in order, or in the one that a generator says."""
    for images in data.batches(split, size, generator):
        x = normalise(moved(images.x, execution.device), data, execution)
        yield Batch(x, moved(images.y, execution.device))
