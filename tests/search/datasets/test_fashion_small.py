"""The part of Fashion-MNIST that comes with the package."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from espalier.search.datasets import DataPaths, load
from espalier.search.datasets.fashion_small import CLASSES, FASHION_SMALL, FILE


def test_it_needs_no_download_and_has_as_many_of_every_class(tmp_path: Path) -> None:
    raw = FASHION_SMALL.read(tmp_path / "absent")
    assert raw.train.x.shape == (6000, 1, 28, 28)
    assert raw.test.x.shape == (1000, 1, 28, 28)
    assert raw.train.x.dtype == np.uint8
    assert set(Counter(raw.train.y.tolist()).values()) == {600}
    assert set(Counter(raw.test.y.tolist()).values()) == {100}
    assert len(raw.classes) == len(CLASSES) == 10


def test_no_image_is_both_learned_from_and_tested_on(tmp_path: Path) -> None:
    data = load("fashion_small", DataPaths(tmp_path / "d", tmp_path / "c"))
    parts = [{image.tobytes() for image in getattr(data, part).x} for part in ("train", "holdout", "test")]
    assert [len(data.train), len(data.holdout), len(data.test)] == [5400, 600, 1000]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert not parts[0] & parts[1]


def test_the_file_is_small_and_its_licence_stands_beside_it() -> None:
    assert FILE.stat().st_size < 3.2e6
    assert "Zalando SE" in FILE.with_suffix(".LICENSE").read_text()


@pytest.mark.parametrize("label", range(10))
def test_every_class_looks_like_itself(tmp_path: Path, label: int) -> None:
    """Means of the classes, learned from training images, tell test images apart far better than chance: labels and
    images belong together."""
    raw = FASHION_SMALL.read(tmp_path)
    means = np.stack([raw.train.x[raw.train.y == one].mean(0).ravel() for one in range(10)])
    own = raw.test.x[raw.test.y == label].reshape(100, -1).astype(float)
    nearest = ((own[:, None] - means) ** 2).sum(-1).argmin(1)
    assert (nearest == label).mean() > 0.2
