"""The data sets by name. A new one is one file with a `Dataset` record, and one line here. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from espalier.search.datasets.base import Data, DataPaths, Dataset
from espalier.search.datasets.digits import DIGITS
from espalier.search.datasets.fashion_small import FASHION_SMALL
from espalier.search.datasets.folder import FOLDER_RECIPES, read_folder
from espalier.search.datasets.from_torchvision import CIFAR10, CIFAR100, FASHION_MNIST, MNIST
from espalier.search.datasets.store import folder_of, opened, received, stored, summary_of
from espalier.search.datasets.summary import Summary
from espalier.search.errors import SpecError, UnknownName, messages
from espalier.search.recipe import Recipe
from espalier.search.spec import Folder, JobSpec, Target

_ALL = (
    DIGITS,
    FASHION_SMALL,
    MNIST,
    FASHION_MNIST,
    CIFAR10,
    CIFAR100,
)

DATASETS: dict[str, Dataset] = {entry.name: entry for entry in _ALL}


def recipes(dataset: str | Folder) -> Mapping[str, Recipe]:
    """The presets of a data set, the default first. Raises UnknownName."""
    if isinstance(dataset, Folder):
        return FOLDER_RECIPES
    if dataset not in DATASETS:
        raise UnknownName("data set", dataset, DATASETS)
    return DATASETS[dataset].recipes


def recipe_of(spec: JobSpec, suited: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe a spec asks for: its preset, with what suits its architecture, and its own changes. Raises UnknownName
    or SpecError."""
    presets = recipes(spec.target.dataset)
    name = spec.recipe.preset or next(iter(presets))
    if name not in presets:
        raise UnknownName("recipe", name, presets)
    try:
        return presets[name].model_copy(update={**(suited or {}), **spec.recipe.changes})
    except ValidationError as error:
        raise SpecError(f"recipe: {messages(error)}") from error


def load(dataset: str | Folder, paths: DataPaths) -> Data:
    """The data set, split. Reads it on first use; afterwards the arrays are mapped from disk, not copied.

    Raises UnknownName or DataUnavailable, which says what is missing or broken.
    """
    recipes(dataset)
    if isinstance(dataset, Folder):
        name, read = read_folder(paths.datasets, dataset)
        return stored(name, paths.cache, read)
    entry = DATASETS[dataset]
    return stored(entry.name, paths.cache, lambda: entry.read(paths.datasets))


def known(target: Target, fingerprint: str, paths: DataPaths) -> Data:
    """A target's data set as it was when its content was called that: from the cache, though it may have changed where
    it came from, or be nowhere on this machine. Raises what `load` does, and SpecError if it is another one by now."""
    data = opened(fingerprint, paths.cache) or load(target.dataset, paths)
    if data.fingerprint != fingerprint:
        raise SpecError(f"{target.dataset_name} has other images than when the job was submitted; submit again")
    return data


def summary(dataset: str | Folder, paths: DataPaths) -> Summary:
    """What a data set consists of. Reads it on first use, and raises what `load` does."""
    return summary_of(load(dataset, paths), paths.cache)


__all__ = [
    "DATASETS",
    "Data",
    "DataPaths",
    "Dataset",
    "Summary",
    "folder_of",
    "known",
    "load",
    "received",
    "recipe_of",
    "recipes",
    "summary",
]
