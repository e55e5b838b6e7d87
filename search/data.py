"""Data sets: read once, kept as uint8 arrays on disk, and shared between processes through the page cache.

Splits are fixed: the holdout is the same tenth of the training images in every run, on every machine. Torch is not
needed here, and torchvision only while one of its data sets is first read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from espalier.search.errors import DataUnavailable, UnknownName
from espalier.search.types import Folder, Recipe

HOLDOUT = 0.1
HOLDOUT_MOST = 5000
CACHE_VERSION = 1

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]


class Places(NamedTuple):
    """Where a process finds data sets, and where it may keep what it prepared from them."""

    datasets: Path
    """Root of image folders and downloads."""
    cache: Path


@dataclass(frozen=True)
class Images:
    """Images x [n, channels, height, width] as bytes, and their labels y [n]."""

    x: Bytes
    y: Labels

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Data:
    """A data set, split: train to learn from, holdout to choose by, test to report."""

    train: Images
    holdout: Images
    test: Images
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    """Of each channel over the training images, in [0, 1]."""
    std: tuple[float, ...]
    fingerprint: str
    """Names this content: other images, other fingerprint."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """One image: channels, height, width."""
        channels, height, width = self.train.x.shape[1:]
        return channels, height, width


class Raw(NamedTuple):
    """A data set as it was read, before it is split."""

    train: Images
    test: Images
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """One entry of the registry: how to read it, and how networks are trained on it."""

    name: str
    description: str
    read: Callable[[Path], Raw]
    recipes: Mapping[str, Recipe] = field(repr=False)
    """Presets by name; the first is the default."""


# --- reading ------------------------------------------------------------------------------------------------------


def _read_digits(_root: Path) -> Raw:
    """scikit-learn's 1797 hand-written digits, enlarged to 32x32; the last fifth, by other writers, is for testing."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    enlarged = [
        Image.fromarray((image * 255 / 16).round().astype(np.uint8)).resize((32, 32), Image.Resampling.BICUBIC)
        for image in digits.images
    ]
    x = np.stack([np.asarray(image) for image in enlarged])[:, None]
    y = digits.target.astype(np.int64)
    test = np.arange(len(y)) >= 4 * len(y) // 5
    return Raw(Images(x[~test], y[~test]), Images(x[test], y[test]), tuple(map(str, digits.target_names)))


def _torchvision(name: str) -> Callable[[Path], Raw]:
    def read(root: Path) -> Raw:
        from torchvision import datasets

        kind = getattr(datasets, name)
        try:
            parts = [kind(root, train=train, download=True) for train in (True, False)]
        except (OSError, RuntimeError, urllib.error.URLError) as error:
            raise DataUnavailable(
                f"{name} is not in the data root and could not be downloaded ({error}); "
                "put its files there, connect this machine, or use 'digits', which needs no download"
            ) from error
        train, test = (Images(_channels_first(p.data), np.asarray(p.targets, dtype=np.int64)) for p in parts)
        return Raw(train, test, tuple(map(str, parts[0].classes)))

    return read


def _channels_first(pixels: Any) -> Bytes:
    x = np.asarray(pixels, dtype=np.uint8)
    return np.ascontiguousarray(x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2))


def _folder_path(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise DataUnavailable(f"folder {name!r} leaves the data root; name a folder inside it")
    if not path.is_dir():
        present = sorted(p.name for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
        raise DataUnavailable(f"no folder {name!r} in the data root; there are: {', '.join(present) or 'none'}")
    return path


def _listing(root: Path, folder: Path, part: str) -> dict[str, list[Path]]:
    """Class -> files of `train` or `test`. Links that lead out of the data root are refused."""
    base = folder / part
    if not base.is_dir():
        raise DataUnavailable(f"folder {folder.name!r} has no {part}/ in it; it needs train/<class>/ and test/<class>/")
    classes: dict[str, list[Path]] = {}
    for path in sorted(p for p in base.iterdir() if p.is_dir()):
        files = sorted(p for p in path.iterdir() if not p.name.startswith("."))
        for file in (path, *files):
            if not file.resolve().is_relative_to(root.resolve()):
                raise DataUnavailable(f"{file.relative_to(folder)} is a link that leaves the data root")
        if strange := next((file for file in files if not file.is_file()), None):
            raise DataUnavailable(f"{strange.relative_to(folder)} is no file; images lie directly in {part}/<class>/")
        if not path.name.isprintable():
            raise DataUnavailable(f"class folder {path.name!r} of {folder.name!r} has a name that cannot be shown")
        if not files:
            raise DataUnavailable(f"class {path.name!r} of {folder.name!r} has no images in {part}/")
        classes[path.name] = files
    if len(classes) < 2:
        raise DataUnavailable(f"{part}/ of {folder.name!r} has {len(classes)} class; it needs at least two")
    return classes


def _read_folder(root: Path, folder: Folder) -> tuple[str, Callable[[], Raw]]:
    """A fingerprint of the folder's files, and a function that reads them."""
    path = _folder_path(root, folder.folder)
    train, test = (_listing(root, path, part) for part in ("train", "test"))
    if list(train) != list(test):
        odd = sorted(set(train) ^ set(test))
        raise DataUnavailable(f"train/ and test/ of {folder.folder!r} differ in their classes: {', '.join(odd)}")
    digest = hashlib.sha256(repr((str(path), folder.size)).encode())
    for files in (*train.values(), *test.values()):
        for file in files:
            state = file.stat()
            name = os.fsencode(file.relative_to(path))
            digest.update(name + f"\0{state.st_size}\0{state.st_mtime_ns}\n".encode())

    def read() -> Raw:
        return Raw(_decode(path, train, folder.size), _decode(path, test, folder.size), tuple(train))

    return digest.hexdigest()[:32], read


def _decode(base: Path, classes: Mapping[str, list[Path]], size: int | None) -> Images:
    files = [(label, file) for label, name in enumerate(classes) for file in classes[name]]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # decoding releases the interpreter lock
        images = list(pool.map(lambda item: _image(base, item[1], size), files))
    sizes = {image.shape for image in images}
    if len(sizes) > 1:
        extents = ", ".join(f"{w}x{h}" for h, w, _ in sorted(sizes)[:4])
        raise DataUnavailable(f"the images of {base.name!r} differ in size ({extents}, …); give a size, for example 32")
    return Images(_channels_first(np.stack(images)), np.array([label for label, _ in files], dtype=np.int64))


def _image(base: Path, file: Path, size: int | None) -> Bytes:
    try:
        with Image.open(file) as image:
            rgb = image.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).replace(str(file), "").strip(" '") or type(error).__name__
        name = os.fsencode(file.relative_to(base)).decode(errors="replace")
        raise DataUnavailable(f"{name} of {base.name!r} is not a readable image: {reason}") from error
    if size is not None:
        rgb = rgb.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(rgb)


# --- the registry ---------------------------------------------------------------------------------------------------

_PAPER = Recipe(
    epochs=160, batch_size=64, lr=0.1, weight_decay=1e-4, nesterov=False, schedule="step", flip=True, crop=4
)
_QUICK = Recipe(
    epochs=8,
    batch_size=128,
    lr=0.15,
    weight_decay=5e-4,
    warmup=0.1,
    label_smoothing=0.1,
    crop=2,
    small_first=0.5,
)


def _for_signs(recipe: Recipe, **changes: Any) -> Recipe:
    """For digits and the like: their mirror images mean something else, and they are small already."""
    return recipe.model_copy(update={"flip": False, "crop": 2, "small_first": 0.0, **changes})


_CIFAR = {"quick": _QUICK, "paper": _PAPER}
_GREY = {"quick": _for_signs(_QUICK, epochs=4), "paper": _for_signs(_PAPER)}
FOLDER_RECIPES: Mapping[str, Recipe] = _CIFAR

_ENTRIES = (
    Dataset(
        "digits",
        "1,797 hand-written digits of scikit-learn, 8x8 grey enlarged to 32x32; needs no download",
        _read_digits,
        {"quick": _for_signs(_QUICK, epochs=12, batch_size=32, lr=0.05), "paper": _for_signs(_PAPER)},
    ),
    Dataset("mnist", "70,000 hand-written digits, 28x28 grey", _torchvision("MNIST"), _GREY),
    Dataset("fashion_mnist", "70,000 pictures of clothes, 28x28 grey", _torchvision("FashionMNIST"), _GREY),
    Dataset("cifar10", "60,000 photographs in 10 classes, 32x32 colour", _torchvision("CIFAR10"), _CIFAR),
    Dataset("cifar100", "60,000 photographs in 100 classes, 32x32 colour", _torchvision("CIFAR100"), _CIFAR),
)

DATASETS: dict[str, Dataset] = {entry.name: entry for entry in _ENTRIES}


def recipes(dataset: str | Folder) -> Mapping[str, Recipe]:
    """The presets of a data set, the default first. Raises UnknownName."""
    if isinstance(dataset, Folder):
        return FOLDER_RECIPES
    if dataset not in DATASETS:
        raise UnknownName("data set", dataset, DATASETS)
    return DATASETS[dataset].recipes


def load(dataset: str | Folder, places: Places) -> Data:
    """The data set, split. Reads it on first use; afterwards the arrays are mapped from disk, not copied.

    Raises UnknownName or DataUnavailable, which says what is missing or broken.
    """
    recipes(dataset)
    read: Callable[[], Raw]
    if isinstance(dataset, Folder):
        name, read = _read_folder(places.datasets, dataset)
    else:
        entry = DATASETS[dataset]
        name, read = dataset, lambda: entry.read(places.datasets)
    store = places.cache / "datasets" / f"{name}-{CACHE_VERSION}"
    if not store.is_dir():
        store.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{store}.lock"):
            if not store.is_dir():
                for left in store.parent.glob(f".new-{store.name}-*"):  # by a process that was killed
                    shutil.rmtree(left, ignore_errors=True)
                _store(read(), store)
    return _open(store)


def _store(raw: Raw, store: Path) -> None:
    """Split, measure and write; a half-written store never gets the final name."""
    work = Path(tempfile.mkdtemp(dir=store.parent, prefix=f".new-{store.name}-"))
    try:
        order = np.random.default_rng(0).permutation(len(raw.train))
        count = min(HOLDOUT_MOST, max(1, round(HOLDOUT * len(order))))
        parts = {
            "train": Images(raw.train.x[order[count:]], raw.train.y[order[count:]]),
            "holdout": Images(raw.train.x[order[:count]], raw.train.y[order[:count]]),
            "test": raw.test,
        }
        for part, images in parts.items():
            np.save(work / f"{part}_x.npy", images.x)
            np.save(work / f"{part}_y.npy", images.y)
        means, squares = _moments(parts["train"].x)
        deviations = np.sqrt(np.maximum(squares - means**2, 1e-6))
        about = {"classes": raw.classes, "mean": means.tolist(), "std": deviations.tolist()}
        (work / "about.json").write_text(json.dumps(about))
        work.rename(store)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _moments(x: Bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and mean square of each channel, pixels in [0, 1]; by histogram, exact and without a float copy."""
    levels = np.arange(256) / 255
    counts = np.stack([np.bincount(x[:, c].ravel(), minlength=256) for c in range(x.shape[1])])
    shares = counts / counts.sum(axis=1, keepdims=True)
    return shares @ levels, shares @ levels**2


def _open(store: Path) -> Data:
    about = json.loads((store / "about.json").read_text())

    def part(name: str) -> Images:
        return Images(np.load(store / f"{name}_x.npy", mmap_mode="r"), np.array(np.load(store / f"{name}_y.npy")))

    return Data(
        part("train"), part("holdout"), part("test"),
        tuple(about["classes"]), tuple(about["mean"]), tuple(about["std"]), store.name,
    )  # fmt: skip


def batches(count: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover `count` items in order."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
