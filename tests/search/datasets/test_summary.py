"""What a data set consists of."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from espalier.search.datasets import DataPaths, load, summary
from espalier.search.datasets.summary import Summary
from espalier.search.spec import Folder


def test_it_counts_images_and_says_what_their_files_were(pets: DataPaths) -> None:
    Image.new("RGBA", (8, 8), (1, 2, 3, 4)).save(pets.datasets / "pets" / "train" / "cat" / "clear.png")
    found = summary(Folder(folder="pets"), pets)
    assert found.classes == ("cat", "dog")
    assert found.shape == (3, 8, 8)
    assert found.images == {
        "train": {"cat": 12, "dog": 11}, "holdout": {"cat": 1, "dog": 1}, "test": {"cat": 12, "dog": 12},
    }  # fmt: skip
    assert found.files.sizes == {"8x8": 49}
    assert found.files.modes == {"RGB": 48, "RGBA": 1}
    assert found.files.converted == {"laid on white": 1}


def test_it_shows_four_pictures_of_as_many_classes(paths: DataPaths) -> None:
    found = summary("digits", paths)
    shown = np.asarray(Image.open(io.BytesIO(found.samples)))
    assert shown.shape == (32, 4 * 32)
    data = load("digits", paths)
    for at in range(4):
        same = (data.train.x[:, 0] == shown[:, 32 * at : 32 * (at + 1)]).all((1, 2))
        assert set(data.train.y[same]) == {at}


def test_it_survives_json(paths: DataPaths) -> None:
    found = summary("digits", paths)
    assert Summary.model_validate_json(found.model_dump_json()) == found
