"""Image folders: read once, and clear words about what is missing or broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from espalier.search.datasets import DataPaths, load
from espalier.search.datasets.folder import read_folder
from espalier.search.errors import DataUnavailable
from espalier.search.spec import Folder
from tests.search.helpers import write_images

PETS = Folder(folder="pets")


def test_a_folder_is_read_once_and_again_when_it_changes(pets: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[object] = []
    opened = Image.open
    monkeypatch.setattr(Image, "open", lambda *args: reads.append(args) or opened(*args))
    load(PETS, pets)
    load(PETS, pets)
    assert len(reads) == 2 * 2 * 12  # train and test, once
    (pets.datasets / "pets" / "train" / "cat" / "0.png").unlink()
    assert len(load(PETS, pets).train) + len(load(PETS, pets).holdout) == 23


def test_classes_are_the_folders_names(pets: DataPaths) -> None:
    data = load(PETS, pets)
    assert data.classes == ("cat", "dog")
    assert data.shape == (3, 8, 8)
    bright = data.train.x.reshape(len(data.train), -1).mean(1) > 120
    assert np.array_equal(bright, data.train.y == 1)


def test_images_of_several_sizes_need_a_size(pets: DataPaths) -> None:
    Image.new("RGB", (9, 8)).save(pets.datasets / "pets" / "train" / "cat" / "wide.png")
    with pytest.raises(DataUnavailable, match=r"differ in size .*8x8, 9x8.* give a size"):
        load(PETS, pets)
    assert load(Folder(folder="pets", size=16), pets).shape == (3, 16, 16)


def test_grey_images_become_colour(pets: DataPaths) -> None:
    Image.new("L", (8, 8), 7).save(pets.datasets / "pets" / "train" / "cat" / "grey.png")
    assert load(PETS, pets).shape == (3, 8, 8)


def broken(root: Path) -> None:
    (root / "train" / "cat" / "bad.png").write_bytes(b"not an image")


def truncated(root: Path) -> None:
    path = root / "train" / "cat" / "0.png"
    path.write_bytes(path.read_bytes()[:60])


def one_class(root: Path) -> None:
    for part in ("train", "test"):
        for file in (root / part / "dog").iterdir():
            file.unlink()
        (root / part / "dog").rmdir()


def empty_class(root: Path) -> None:
    (root / "train" / "eel").mkdir()
    (root / "test" / "eel").mkdir()


def other_classes(root: Path) -> None:
    (root / "test" / "dog").rename(root / "test" / "wolf")


def no_test(root: Path) -> None:
    (root / "test").rename(root / "tests")


def link_outside(root: Path) -> None:
    outside = root.parents[1] / "outside"
    write_images(outside, "x", ("eel",))
    for part in ("train", "test"):
        (root / part / "eel").symlink_to(outside / "x" / "eel", target_is_directory=True)


def link_nowhere(root: Path) -> None:
    (root / "train" / "cat" / "link.png").symlink_to(root / "missing.png")


def folders_in_folders(root: Path) -> None:
    (root / "train" / "cat" / "indoors").mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (broken, r"train/cat/bad.png of 'pets' is not a readable image"),
        (truncated, r"train/cat/0.png of 'pets' is not a readable image"),
        (one_class, "has 1 class; it needs at least two"),
        (empty_class, "class 'eel' of 'pets' has no images in train/"),
        (other_classes, "differ in their classes: dog, wolf"),
        (no_test, "has no test/ in it"),
        (link_outside, "is a link that leaves the data root"),
        (link_nowhere, r"train/cat/link.png is no file; images lie directly in train/<class>/"),
        (folders_in_folders, r"train/cat/indoors is no file"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(pets: DataPaths, spoil: object, words: str) -> None:
    spoil(pets.datasets / "pets")  # type: ignore[operator]
    with pytest.raises(DataUnavailable, match=words):
        load(PETS, pets)
    assert not list((pets.cache / "datasets").glob("*-1")), "nothing half-read may stay"


@pytest.mark.parametrize("name", ["../outside", "/etc", "pets/../../outside"])
def test_a_folder_stays_inside_the_data_root(pets: DataPaths, name: str) -> None:
    shutil.copytree(pets.datasets / "pets", pets.datasets.parent / "outside")  # it could be read
    with pytest.raises(DataUnavailable, match="leaves the data root"):
        load(Folder(folder=name), pets)


def test_the_data_root_itself_is_no_data_set(pets: DataPaths) -> None:
    with pytest.raises(DataUnavailable, match="has no train/"):
        load(Folder(folder="."), pets)


def test_an_unknown_folder_lists_those_there_are(pets: DataPaths) -> None:
    with pytest.raises(DataUnavailable, match="no folder 'birds' in the data root; there are: pets"):
        load(Folder(folder="birds"), pets)


def test_a_fingerprint_names_the_files_and_the_size(pets: DataPaths) -> None:
    def fingerprint(folder: Folder = PETS) -> str:
        return read_folder(pets.datasets, folder)[0]

    first = fingerprint()
    assert fingerprint() == first != fingerprint(Folder(folder="pets", size=16))
    (pets.datasets / "pets" / "train" / "cat" / "0.png").rename(pets.datasets / "pets" / "train" / "cat" / "x.png")
    assert fingerprint() != first


def test_hidden_files_are_no_images(pets: DataPaths) -> None:
    (pets.datasets / "pets" / "train" / "cat" / ".DS_Store").write_bytes(b"no image")
    assert len(load(PETS, pets).train) + len(load(PETS, pets).holdout) == 24
