"""Data sets as arrays on disk: split once, read once, and shared between processes through the page cache.

Splits are fixed: the hold-out is the same tenth of the training images in every run, on every machine.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from espalier.search.datasets.base import Bytes, Data, Files, Images, Raw
from espalier.search.datasets.split import held_out
from espalier.search.datasets.summary import Summary

CACHE_VERSION = 2
"""Of what is learned from given files: 2 holds out by class, and reads pictures upright, opaque and deep."""
CHUNK = 2**20
"""Bytes of images that are looked at or written at once."""
SAMPLES = 4
_PARTS = ("train", "holdout", "test")


PNG_END = b"IEND\xaeB`\x82"


def stored(name: str, cache: Path, read: Callable[[], Raw]) -> Data:
    """The data set of that name, from `cache`; read and stored there first, if it is not there or damaged."""
    store = folder_of(f"{name}-{CACHE_VERSION}", cache)

    def write(work: Path) -> bool:
        _store(read(), work)
        return True

    older = [store.with_name(f"{name}-{version}") for version in range(1, CACHE_VERSION)]
    return _made(store, write, older) or _open(store)


def _made(store: Path, write: Callable[[Path], bool], older: Sequence[Path] = ()) -> Data | None:
    """What is stored; if it is not there or damaged, after `write` has made it, which says whether it could."""
    if (found := _opened(store)) is not None:
        return found
    store.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{store}.lock"):
        if (found := _opened(store)) is not None:  # another process was faster
            return found
        by_the_killed = store.parent.glob(f".new-{store.name}-*")
        for left in (store, *older, *by_the_killed):  # the first is there if it is damaged
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(dir=store.parent, prefix=f".new-{store.name}-"))
        try:
            if write(work):
                work.rename(store)  # a half-written store never gets the final name
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return _opened(store)


def opened(fingerprint: str, cache: Path) -> Data | None:
    """The data set with that content, if it is in `cache`, whole."""
    return _opened(folder_of(fingerprint, cache))


def folder_of(fingerprint: str, cache: Path) -> Path:
    """Where a data set is in `cache`, or would be."""
    return cache / "datasets" / fingerprint


def received(fingerprint: str, cache: Path, fetch: Callable[[Path], bool]) -> bool:
    """Whether a data set is in `cache`, or could be written there by `fetch`, which says whether it knew it."""
    return _made(folder_of(fingerprint, cache), fetch) is not None


def summary_of(data: Data, cache: Path) -> Summary:
    """What a stored data set consists of."""
    store = folder_of(data.fingerprint, cache)
    counts = {part: np.bincount(getattr(data, part).y, minlength=len(data.classes)) for part in _PARTS}
    return Summary(
        classes=data.classes,
        shape=data.shape,
        images={part: dict(zip(data.classes, map(int, found), strict=True)) for part, found in counts.items()},
        files=Files.model_validate_json((store / "files.json").read_text()),
        samples=(store / "samples.png").read_bytes(),
    )


def _store(raw: Raw, work: Path) -> None:
    """Split, measure and write."""
    everything = np.arange(len(raw.train))
    train, holdout = held_out(raw.train.y) if raw.holdout is None else (everything, np.arange(len(raw.holdout)))
    _write(work, "train", raw.train, train)
    _write(work, "holdout", raw.train if raw.holdout is None else raw.holdout, holdout)
    _write(work, "test", raw.test, np.arange(len(raw.test)))
    means, squares = _moments(raw.train.x, train)
    deviations = np.sqrt(np.maximum(squares - means**2, 1e-6))
    about = {"classes": raw.classes, "mean": means.tolist(), "std": deviations.tolist()}
    (work / "samples.png").write_bytes(_samples(raw.train, train))
    (work / "files.json").write_text(raw.files.model_dump_json())
    (work / "about.json").write_text(json.dumps(about))


def _write(work: Path, part: str, images: Images, order: NDArray[np.int64]) -> None:
    """Some of the images, in this order, without a second copy of them in memory."""
    np.save(work / f"{part}_y.npy", images.y[order])
    with (work / f"{part}_x.npy").open("wb") as file:
        shape = (len(order), *images.x.shape[1:])
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for some in _chunks(images.x, order):
            file.write(some.data)


def _chunks(x: Bytes, order: NDArray[np.int64]) -> Iterator[Bytes]:
    count = max(1, CHUNK // x[0].nbytes)
    for start in range(0, len(order), count):
        yield x[order[start : start + count]]


def _moments(x: Bytes, order: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and mean square of each channel, pixels in [0, 1]; by histogram, exact and without a float copy."""
    levels = np.arange(256) / 255
    counts = np.zeros((x.shape[1], 256), np.int64)
    for some in _chunks(x, order):
        counts += [np.bincount(some[:, c].ravel(), minlength=256) for c in range(x.shape[1])]
    shares = counts / counts.sum(axis=1, keepdims=True)
    return shares @ levels, shares @ levels**2


def _samples(images: Images, order: NDArray[np.int64]) -> bytes:
    """Pictures of as many classes as there is room for, side by side, as a PNG."""
    _, first = np.unique(images.y[order], return_index=True)
    chosen = [*dict.fromkeys([*order[first], *order])][:SAMPLES]
    row = np.concatenate([images.x[index].transpose(1, 2, 0) for index in chosen], axis=1)
    file = io.BytesIO()
    if row.shape[2] in (1, 3):
        Image.fromarray(row[..., 0] if row.shape[2] == 1 else row).save(file, "PNG")
    return file.getvalue()


def _opened(store: Path) -> Data | None:
    """What is stored, if it is there and whole."""
    try:
        return _open(store)
    except (FileNotFoundError, EOFError, ValueError, KeyError):  # not there; cut short, or something else
        return None


def _open(store: Path) -> Data:
    about = json.loads((store / "about.json").read_text())
    Files.model_validate_json((store / "files.json").read_text())
    samples = (store / "samples.png").read_bytes()  # none of images that no viewer shows
    if samples and not samples.endswith(PNG_END):
        raise ValueError("the samples are cut short")

    def part(name: str) -> Images:
        return Images(np.load(store / f"{name}_x.npy", mmap_mode="r"), np.array(np.load(store / f"{name}_y.npy")))

    return Data(
        part("train"), part("holdout"), part("test"),
        tuple(about["classes"]), tuple(about["mean"]), tuple(about["std"]), store.name,
    )  # fmt: skip
