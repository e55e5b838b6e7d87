"""Data sets that torchvision reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from espalier.search.datasets import DataPaths, load
from espalier.search.datasets.from_torchvision import CIFAR10, CIFAR100, FASHION_MNIST, MNIST
from espalier.search.errors import DataUnavailable


def test_a_data_set_that_cannot_be_fetched_says_what_would_work(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets as tv

    def offline(*_args: object, **_options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(tv, "CIFAR10", offline)
    with pytest.raises(DataUnavailable, match=r"CIFAR10 is not in the data root .*no route to host.*'digits'"):
        load("cifar10", paths)


def test_mnist_is_read_from_its_own_files(tmp_path: Path) -> None:
    """The real reader on files of the real format, made here."""
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 10)):
        images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        head = np.array([0x803, count, 28, 28], ">i4").tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        labels = np.arange(count, dtype=np.uint8) % 10
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(np.array([0x801, count], ">i4").tobytes() + labels.tobytes())
    data = load("mnist", DataPaths(tmp_path / "data", tmp_path / "cache"))
    assert data.shape == (1, 28, 28)
    assert (len(data.train), len(data.holdout), len(data.test)) == (30, 10, 10)


def test_grey_signs_are_not_mirrored_and_photographs_are() -> None:
    def mirrored(dataset: str) -> set[bool]:
        entry = {one.name: one for one in (MNIST, FASHION_MNIST, CIFAR10, CIFAR100)}[dataset]
        return {any(step.name == "flip" for step in recipe.augment) for recipe in entry.recipes.values()}

    assert mirrored("mnist") == mirrored("fashion_mnist") == {False}
    assert mirrored("cifar10") == mirrored("cifar100") == {True}
