"""The digits that come with a package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from espalier.search.datasets import Data, DataPaths, load
from espalier.search.datasets.digits import DIGITS


def test_digits_come_with_the_package(digits: Data) -> None:
    assert digits.shape == (1, 32, 32)
    assert (len(digits.train), len(digits.holdout), len(digits.test)) == (1295, 142, 360)
    assert len(digits.classes) == 10
    assert digits.train.x.dtype == np.uint8
    assert set(digits.train.y) == set(range(10))


def test_the_split_is_the_same_wherever_it_is_made(digits: Data, tmp_path: Path) -> None:
    again = load("digits", DataPaths(tmp_path / "d", tmp_path / "c"))
    assert all(np.array_equal(getattr(digits, part).x, getattr(again, part).x) for part in ("train", "holdout", "test"))


def test_the_last_fifth_is_for_testing_and_every_image_is_used(digits: Data, tmp_path: Path) -> None:
    raw = DIGITS.read(tmp_path)
    assert np.array_equal(digits.test.x, raw.test.x)
    assert len(raw.train) + len(raw.test) == 1797
    assert sorted([*digits.train.y, *digits.holdout.y]) == sorted(raw.train.y)
