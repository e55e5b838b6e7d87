"""A small image folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from espalier.search.datasets import DataPaths
from tests.search.helpers import write_images


@pytest.fixture
def pets(tmp_path: Path) -> DataPaths:
    """A data root with a folder `pets` of cats and dogs."""
    write_images(tmp_path / "data" / "pets", "train")
    write_images(tmp_path / "data" / "pets", "test")
    return DataPaths(tmp_path / "data", tmp_path / "cache")
