"""Data sets on disk: split once, mapped and not copied, whole or not there."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from espalier.search.datasets import DataPaths, folder_of, known, load, received
from espalier.search.datasets.base import Images, Raw
from espalier.search.datasets.store import stored
from espalier.search.errors import DataUnavailable, SpecError
from espalier.search.spec import Folder, Target

PETS = Folder(folder="pets")


def raw(count: int) -> Raw:
    """Images that each name their place: every pixel of image i is i % 256, its label i % 2."""
    pixels = np.arange(count, dtype=np.int64)[:, None, None, None] + np.zeros((1, 1, 2, 2), np.int64)
    train = Images((pixels % 256).astype(np.uint8), np.arange(count) % 2)
    return Raw(train, Images(train.x[:4], train.y[:4]), ("a", "b"))


def test_splits_share_no_image(pets: DataPaths) -> None:
    data = load(PETS, pets)
    images = [bytes(x.tobytes()) for part in (data.train, data.holdout) for x in part.x]
    assert len(images) == len(set(images)) == 24
    assert len(data.holdout) == 2


def test_arrays_are_mapped_not_copied(pets: DataPaths) -> None:
    assert all(isinstance(part.x, np.memmap) for d in [load(PETS, pets)] for part in (d.train, d.holdout, d.test))


def test_two_processes_may_read_at_once(tmp_path: Path) -> None:
    """The second waits for the first and finds its work."""
    code = (
        "import sys; from pathlib import Path; from espalier.search.datasets import load, DataPaths;"
        f"print(len(load('digits', DataPaths(Path({str(tmp_path)!r}), Path({str(tmp_path)!r}))).train))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in running] == [b"1295", b"1295"]


def test_labels_stay_with_their_images(tmp_path: Path) -> None:
    data = stored("some", tmp_path, lambda: raw(200))
    for part in (data.train, data.holdout, data.test):
        assert np.array_equal(part.x[:, 0, 0, 0] % 2, part.y)


def test_means_and_deviations_are_those_of_the_training_images(tmp_path: Path) -> None:
    data = stored("some", tmp_path, lambda: raw(200))
    x = np.asarray(data.train.x, dtype=np.float64) / 255
    assert data.mean == pytest.approx((x.mean(),))
    assert data.std == pytest.approx((x.std(),))


def test_one_colour_everywhere_does_not_divide_by_zero(tmp_path: Path) -> None:
    grey = Images(np.full((20, 1, 2, 2), 7, np.uint8), np.arange(20) % 2)
    assert stored("grey", tmp_path, lambda: Raw(grey, grey, ("a", "b"))).std == pytest.approx((1e-3,))


def test_what_is_stored_is_not_read_again(tmp_path: Path) -> None:
    reads: list[int] = []

    def read() -> Raw:
        reads.append(1)
        return raw(20)

    first, again = stored("some", tmp_path, read), stored("some", tmp_path, read)
    assert len(reads) == 1
    assert first.fingerprint == again.fingerprint
    assert stored("other", tmp_path, read).fingerprint != first.fingerprint
    assert len(reads) == 2


def test_a_read_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> Raw:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        stored("some", tmp_path, fail)
    assert len(stored("some", tmp_path, lambda: raw(20)).train) == 18


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    left = tmp_path / "datasets" / ".new-some-2-abc"
    left.mkdir(parents=True)
    (left / "train_x.npy").write_bytes(b"half")
    stored("some", tmp_path, lambda: raw(20))
    assert not left.exists()


def test_what_an_older_release_read_is_read_anew(tmp_path: Path) -> None:
    """And given way: its split is another."""
    old = tmp_path / "datasets" / "some-1"
    old.mkdir(parents=True)
    (tmp_path / "datasets" / "some-12").mkdir()
    assert stored("some", tmp_path, lambda: raw(20)).fingerprint == "some-2"
    assert not old.exists()
    assert (tmp_path / "datasets" / "some-12").exists()


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        *itertools.product(
            ["train_x.npy", "holdout_y.npy", "about.json", "files.json"], ["gone", "empty", "cut short"]
        ),
        ("samples.png", "gone"),
        ("samples.png", "cut short"),
    ],
)
def test_what_is_damaged_is_made_again(file: str, damage: str, tmp_path: Path) -> None:
    whole = stored("some", tmp_path, lambda: raw(20))
    path = tmp_path / "datasets" / whole.fingerprint / file
    content = path.read_bytes()
    path.unlink() if damage == "gone" else path.write_bytes(
        content[: len(content) // 2 if damage == "cut short" else 0]
    )
    again = stored("some", tmp_path, lambda: raw(20))
    assert np.array_equal(again.train.x, raw(20).train.x[again.train.x[:, 0, 0, 0]])
    assert path.read_bytes() == content


def test_a_holdout_of_its_own_is_taken_as_it_is(tmp_path: Path) -> None:
    given, own = raw(20), raw(6).train
    data = stored("own", tmp_path, lambda: given._replace(holdout=own))
    assert np.array_equal(data.train.x, given.train.x)
    assert np.array_equal(data.holdout.x, own.x)


def test_what_is_fetched_is_as_good_as_what_was_read(pets: DataPaths, tmp_path: Path) -> None:
    data = load(PETS, pets)
    cache = tmp_path / "elsewhere"

    def fetch(folder: Path) -> bool:
        shutil.copytree(folder_of(data.fingerprint, pets.cache), folder, dirs_exist_ok=True)
        return True

    assert received(data.fingerprint, cache, fetch)
    target = Target(arch="vgg11", dataset=PETS)
    nowhere = DataPaths(tmp_path / "nowhere", cache)
    found = known(target, data.fingerprint, nowhere)
    assert np.array_equal(found.train.x, data.train.x)
    assert found.fingerprint == data.fingerprint
    assert received(data.fingerprint, cache, lambda _: pytest.fail("it is there"))


@pytest.mark.parametrize("left", ["nothing", "a part"])
def test_what_cannot_be_fetched_leaves_nothing(left: str, pets: DataPaths, tmp_path: Path) -> None:
    data = load(PETS, pets)

    def fetch(folder: Path) -> bool:
        if left == "a part":
            shutil.copy(folder_of(data.fingerprint, pets.cache) / "train_x.npy", folder)
        return left == "a part"

    killed = tmp_path / "datasets" / f".new-{data.fingerprint}-killed"
    killed.mkdir(parents=True)
    assert not received(data.fingerprint, tmp_path, fetch)
    assert not [*(tmp_path / "datasets").glob(".new-*")]
    with pytest.raises(DataUnavailable, match="no folder 'pets'"):
        known(Target(arch="vgg11", dataset=PETS), data.fingerprint, DataPaths(tmp_path, tmp_path))


def test_a_job_goes_on_with_the_images_that_it_began_with(pets: DataPaths) -> None:
    before = load(PETS, pets)
    picture = next((pets.datasets / "pets" / "train").rglob("*.png"))
    picture.write_bytes(picture.read_bytes() + b" ")
    target = Target(arch="vgg11", dataset=PETS)
    assert load(PETS, pets).fingerprint != before.fingerprint
    assert np.array_equal(known(target, before.fingerprint, pets).train.x, before.train.x)
    shutil.rmtree(pets.cache)
    with pytest.raises(SpecError, match="folder:pets has other images than when the job was submitted"):
        known(target, before.fingerprint, pets)
