"""Data sets: fixed splits, shared arrays, and clear words about what is missing or broken."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from espalier.search import data as datasets
from espalier.search.data import DATASETS, Data, Places, load, recipes
from espalier.search.errors import DataUnavailable, UnknownName
from espalier.search.types import Folder


def write_images(
    root: Path, part: str, names: tuple[str, ...] = ("cat", "dog"), count: int = 12, size: int = 8
) -> None:
    generator = np.random.default_rng(0)
    for index, name in enumerate(names):
        (root / part / name).mkdir(parents=True)
        for i in range(count):
            pixels = generator.integers(0, 256, (size, size, 3), dtype=np.uint8) // 2 + 100 * index
            Image.fromarray(pixels.astype(np.uint8)).save(root / part / name / f"{i}.png")


@pytest.fixture
def pets(tmp_path: Path) -> Places:
    write_images(tmp_path / "data" / "pets", "train")
    write_images(tmp_path / "data" / "pets", "test")
    return Places(tmp_path / "data", tmp_path / "cache")


PETS = Folder(folder="pets")


def test_digits_come_with_the_package(digits: Data) -> None:
    assert digits.shape == (1, 32, 32)
    assert (len(digits.train), len(digits.holdout), len(digits.test)) == (1293, 144, 360)
    assert len(digits.classes) == 10
    assert digits.train.x.dtype == np.uint8
    assert set(digits.train.y) == set(range(10))


def test_the_split_is_the_same_wherever_it_is_made(digits: Data, tmp_path: Path) -> None:
    again = load("digits", Places(tmp_path / "d", tmp_path / "c"))
    assert all(np.array_equal(getattr(digits, part).x, getattr(again, part).x) for part in ("train", "holdout", "test"))


def test_splits_share_no_image(pets: Places) -> None:
    data = load(PETS, pets)
    images = [bytes(x.tobytes()) for part in (data.train, data.holdout) for x in part.x]
    assert len(images) == len(set(images)) == 24
    assert len(data.holdout) == 2


def test_arrays_are_mapped_not_copied(pets: Places) -> None:
    assert all(isinstance(part.x, np.memmap) for d in [load(PETS, pets)] for part in (d.train, d.holdout, d.test))


def test_a_folder_is_read_once_and_again_when_it_changes(pets: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[object] = []
    decode = datasets._decode
    monkeypatch.setattr(datasets, "_decode", lambda *args: reads.append(args) or decode(*args))
    load(PETS, pets)
    load(PETS, pets)
    assert len(reads) == 2  # train and test, once
    (pets.datasets / "pets" / "train" / "cat" / "0.png").unlink()
    assert len(load(PETS, pets).train) + len(load(PETS, pets).holdout) == 23


def test_classes_are_the_folders_names(pets: Places) -> None:
    data = load(PETS, pets)
    assert data.classes == ("cat", "dog")
    assert data.shape == (3, 8, 8)
    bright = data.train.x.reshape(len(data.train), -1).mean(1) > 120
    assert np.array_equal(bright, data.train.y == 1)


def test_images_of_several_sizes_need_a_size(pets: Places) -> None:
    Image.new("RGB", (9, 8)).save(pets.datasets / "pets" / "train" / "cat" / "wide.png")
    with pytest.raises(DataUnavailable, match=r"differ in size .*8x8, 9x8.* give a size"):
        load(PETS, pets)
    assert load(Folder(folder="pets", size=16), pets).shape == (3, 16, 16)


def test_grey_images_become_colour(pets: Places) -> None:
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
def test_a_folder_that_cannot_be_used_says_why(pets: Places, spoil: object, words: str) -> None:
    spoil(pets.datasets / "pets")  # type: ignore[operator]
    with pytest.raises(DataUnavailable, match=words):
        load(PETS, pets)
    assert not list((pets.cache / "datasets").glob("*-1")), "nothing half-read may stay"


@pytest.mark.parametrize("name", ["../outside", "/etc", "pets/../../outside"])
def test_a_folder_stays_inside_the_data_root(pets: Places, name: str) -> None:
    shutil.copytree(pets.datasets / "pets", pets.datasets.parent / "outside")  # it could be read
    with pytest.raises(DataUnavailable, match="leaves the data root"):
        load(Folder(folder=name), pets)


def test_the_data_root_itself_is_no_data_set(pets: Places) -> None:
    with pytest.raises(DataUnavailable, match="has no train/"):
        load(Folder(folder="."), pets)


def test_an_unknown_folder_lists_those_there_are(pets: Places) -> None:
    with pytest.raises(DataUnavailable, match="no folder 'birds' in the data root; there are: pets"):
        load(Folder(folder="birds"), pets)


def test_a_data_set_that_cannot_be_fetched_says_what_would_work(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets as tv

    def offline(*_args: object, **_options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(tv, "CIFAR10", offline)
    with pytest.raises(DataUnavailable, match=r"CIFAR10 is not in the data root .*no route to host.*'digits'"):
        load("cifar10", places)


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
    data = load("mnist", Places(tmp_path / "data", tmp_path / "cache"))
    assert data.shape == (1, 28, 28)
    assert (len(data.train), len(data.holdout), len(data.test)) == (36, 4, 10)


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_has_both_recipes(name: str) -> None:
    assert list(recipes(name)) == ["quick", "paper"]


def test_an_unknown_data_set_lists_those_there_are(places: Places) -> None:
    with pytest.raises(UnknownName, match="no data set 'svhn'; there are: digits, mnist"):
        load("svhn", places)


def test_two_processes_may_read_at_once(tmp_path: Path) -> None:
    """The second waits for the first and finds its work."""
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from search.data import load, Places;"
        f"print(len(load('digits', Places(Path({str(tmp_path)!r}), Path({str(tmp_path)!r}))).train))"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=env) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in running] == [b"1293", b"1293"]
