"""Image folders: read once, and clear words about what is missing or broken."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from espalier.search.datasets import DataPaths, load, summary
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


def test_a_summary_names_the_commonest_sizes(pets: DataPaths) -> None:
    for width in range(9, 40):
        Image.new("RGB", (width, 8)).save(pets.datasets / "pets" / "train" / "cat" / f"w{width}.png")
    sizes = summary(Folder(folder="pets", size=8), pets).files.sizes
    assert (len(sizes), sizes["8x8"], sizes["others"]) == (21, 48, 12)


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


def link_to_itself(root: Path) -> None:
    (root / "train" / "cat" / "link.png").symlink_to("link.png")


def folders_in_folders(root: Path) -> None:
    (root / "train" / "cat" / "indoors").mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (broken, r"train/cat/bad.png of 'pets' is not a readable image"),
        (truncated, r"train/cat/0.png of 'pets' is not a readable image"),
        (one_class, "has 1 class; it needs at least two"),
        (empty_class, "class 'eel' of 'pets' has no images in train/"),
        (other_classes, "'dog' of 'pets': images in train/, but none in test/"),
        (no_test, "has no test/ in it"),
        (link_outside, "is a link that leaves the data root"),
        (link_nowhere, r"train/cat/link.png is no file; images lie directly in train/<class>/"),
        (link_to_itself, r"train/cat/link.png is no file"),
        (folders_in_folders, r"train/cat/indoors is no file"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(pets: DataPaths, spoil: object, words: str) -> None:
    spoil(pets.datasets / "pets")  # type: ignore[operator]
    with pytest.raises(DataUnavailable, match=words):
        load(PETS, pets)
    assert not list((pets.cache / "datasets").glob("[!.]*-2")), "nothing half-read may stay"


def test_what_is_no_folder_beside_the_classes_is_passed_over(pets: DataPaths) -> None:
    whole = load(PETS, pets)
    (pets.datasets / "pets" / "train" / "loop").symlink_to("loop")
    (pets.datasets / "pets" / "train" / "notes.txt").write_text("about them")
    assert load(PETS, pets).classes == whole.classes


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


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", "Icon\r"])
def test_what_file_managers_leave_is_no_image(name: str, pets: DataPaths) -> None:
    (pets.datasets / "pets" / "train" / "cat" / name).write_bytes(b"no image")
    assert len(load(PETS, pets).train) == 22


@pytest.mark.parametrize("name", [".ipynb_checkpoints", "__MACOSX", "@eaDir"])
def test_folders_of_the_system_are_no_classes(name: str, pets: DataPaths) -> None:
    for part in ("train", "test"):
        write_images(pets.datasets / "pets", part, (name,))
    assert load(PETS, pets).classes == ("cat", "dog")


def test_accents_of_a_mac_are_the_same_letters(pets: DataPaths) -> None:
    for part, name in (("train", "caf\u00e9"), ("test", "cafe\u0301")):
        write_images(pets.datasets / "pets", part, (name,))
    assert load(PETS, pets).classes == ("caf\u00e9", "cat", "dog")
    write_images(pets.datasets / "pets", "train", ("cafe\u0301",))
    with pytest.raises(DataUnavailable, match="two folders of the name 'caf\u00e9'"):
        load(PETS, pets)


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_images_to_choose_by_are_tested_on_where_there_are_no_others(name: str, pets: DataPaths) -> None:
    (pets.datasets / "pets" / "test").rename(pets.datasets / "pets" / name)
    data = load(PETS, pets)
    assert [len(part) for part in (data.train, data.holdout, data.test)] == [22, 2, 24]
    assert summary(PETS, pets).files.notes == (
        f"{name}/ is tested on, since there is no test/; images to choose by are drawn from train/",
    )


def test_images_to_choose_by_are_the_holdout_beside_those_to_test_on(pets: DataPaths) -> None:
    write_images(pets.datasets / "pets", "val", count=3)
    data = load(PETS, pets)
    assert [len(part) for part in (data.train, data.holdout, data.test)] == [24, 6, 24]
    assert summary(PETS, pets).files.notes == ()


def test_a_class_of_one_image_is_trained_on_and_said(pets: DataPaths) -> None:
    for part in ("train", "test"):
        write_images(pets.datasets / "pets", part, ("eel",), count=1)
    data = load(PETS, pets)
    assert np.bincount(data.train.y).tolist() == [11, 11, 1]
    assert np.bincount(data.holdout.y).tolist() == [1, 1]
    assert summary(PETS, pets).files.notes == ("none held out of eel: one image in train/",)


def test_where_no_class_has_an_image_to_spare_there_is_nothing_to_choose_by(pets: DataPaths) -> None:
    for part in ("train", "test"):
        write_images(pets.datasets / "few", part, count=1)
    with pytest.raises(DataUnavailable, match=r"every class of 'few' has one image in train/.* or a part val/"):
        load(Folder(folder="few"), pets)


def test_grey_folders_may_stay_one_channel(pets: DataPaths) -> None:
    assert load(Folder(folder="pets", channels=1), pets).shape == (1, 8, 8)


def test_a_name_that_no_file_system_takes_is_no_folder(pets: DataPaths) -> None:
    with pytest.raises(DataUnavailable, match=r"folder 'aaa.*' cannot be looked for"):
        load(Folder(folder="a" * 300), pets)


def test_names_with_line_breaks_leak_no_path(pets: DataPaths) -> None:
    (pets.datasets / "pets" / "train" / "cat" / "a\nb.png").write_bytes(b"no image")
    with pytest.raises(DataUnavailable) as refused:
        load(PETS, pets)
    assert str(pets.datasets) not in str(refused.value)
    assert "'train/cat/a\\nb.png' of 'pets' is not a readable image" in str(refused.value)


def test_reading_holds_little_more_than_its_arrays(pets: DataPaths) -> None:
    """At most one and a half times; noise as JPEG, so that files are large, too."""
    draws = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            for index in range(150):
                pixels = draws.integers(0, 256, (96, 96, 3), np.uint8)
                (pets.datasets / "big" / part / name).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(pets.datasets / "big" / part / name / f"{index}.jpg")
    load(PETS, pets)  # everything is imported
    tracemalloc.start()  # numpy tells it of its arrays, Pillow not of its pictures
    try:
        data = load(Folder(folder="big"), pets)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    arrays = sum(part.x.nbytes for part in (data.train, data.holdout, data.test))
    assert arrays <= peak <= 1.5 * arrays
