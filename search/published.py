"""What papers report of a network that they pruned, to hold a search against. No torch.

From the results that Blalock et al. collected from 81 papers ("What is the State of Neural Network Pruning?", 2020,
arXiv 2003.03033), of which `python -m benchmarks.published` keeps what says enough: both accuracies, and what was left.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from pydantic import Field

from espalier.models.document import Frozen
from espalier.search.spec import Target

SIZES = {"cifar10": 32, "imagenet": 224}
"""Edges of the images that these results are of."""
FILE = Path(__file__).with_suffix(".csv")


class Published(Frozen):
    """One result of a paper, against the paper's own dense network."""

    paper: str = Field(description="first author and year")
    method: str = Field(description="as the paper or the collection calls it")
    params: float | None = Field(gt=0, description="share of the parameters left")
    macs: float | None = Field(gt=0, description="share of the multiply-adds left")
    change: float = Field(description="top-1 accuracy after pruning minus before, as a fraction")


def published(target: Target) -> tuple[Published, ...]:
    """The results of the same network on the same data, by what is left; none for a network with options of its own, or
    for images that an image folder is read at another size."""
    data = _plain(target.dataset_name)
    size = None if isinstance(target.dataset, str) else target.dataset.size
    if target.options or size not in (None, SIZES.get(data)):
        return ()
    return _all().get((target.arch, data), ())


@cache
def _all() -> dict[tuple[str, str], tuple[Published, ...]]:
    found: dict[tuple[str, str], list[Published]] = {}
    with FILE.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            network = row.pop("arch"), row.pop("dataset")
            found.setdefault(network, []).append(
                Published.model_validate({name: value or None for name, value in row.items()})
            )
    return {network: tuple(results) for network, results in found.items()}


def _plain(dataset: str) -> str:
    """An image folder goes by its own name: `folder:pictures/CIFAR-10` is `cifar10`."""
    return "".join(filter(str.isalnum, dataset.rsplit(":")[-1].rstrip("/").rsplit("/")[-1].lower()))
