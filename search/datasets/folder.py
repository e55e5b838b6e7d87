"""Image folders: train/<class>/… and test/<class>/… under the data root, as people have them."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np

from espalier.search.datasets.base import Bytes, Files, Images, Raw
from espalier.search.datasets.pictures import Picture, read_picture
from espalier.search.datasets.recipes import PAPER, QUICK
from espalier.search.errors import DataUnavailable
from espalier.search.spec import Folder

FOLDER_RECIPES = {"quick": QUICK, "paper": PAPER}
VALIDATION = ("val", "valid", "validation")
"""Names under which people keep images to choose by."""
OF_THE_SYSTEM = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "@eadir"))
"""What file managers leave behind."""
DECODING = 64
"""Pictures that are decoded at once, at most, before they lie in the array."""
NAMED = 20
"""Sizes that a summary names; photographs may have thousands."""

Listing = Mapping[str, list[Path]]
"""Class -> its files."""


def read_folder(root: Path, folder: Folder) -> tuple[str, Callable[[], Raw]]:
    """A fingerprint of the folder's files, and a function that reads them."""
    path = _folder_path(root, folder.folder)
    parts = {use: _listing(root, path, part) for use, part in _parts(path).items()}
    _check_classes(path, parts)
    digest = hashlib.sha256(repr((str(path), folder.size, folder.fit, folder.channels)).encode())
    own = len(str(path)) + 1
    for file in chain.from_iterable(chain.from_iterable(files.values()) for files in parts.values()):
        state = file.stat()
        name = os.fsencode(str(file)[own:])
        digest.update(name + f"\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32], lambda: _read(path, parts, folder)


def _folder_path(root: Path, name: str) -> Path:
    try:
        path = (root / name).resolve()
        there = path.is_dir()
    except (OSError, ValueError) as error:  # a name that no file system takes
        raise DataUnavailable(f"folder {name[:80]!r} cannot be looked for: {error.__class__.__name__}") from error
    if not path.is_relative_to(root.resolve()):
        raise DataUnavailable(f"folder {name!r} leaves the data root; name a folder inside it")
    if not there:
        present = sorted(p.name for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
        raise DataUnavailable(f"no folder {name!r} in the data root; there are: {', '.join(present) or 'none'}")
    return path


def _parts(folder: Path) -> dict[str, str]:
    """What each part of the folder is used as: images to choose by are tested on, where there are no others."""
    names = {path.name for path in folder.iterdir() if path.is_dir()}
    validation = next((name for name in VALIDATION if name in names), None)
    test = "test" if "test" in names else validation or "test"
    for part in ("train", test):
        if part not in names:
            raise DataUnavailable(
                f"folder {folder.name!r} has no {part}/ in it; it needs train/<class>/ and test/<class>/ "
                "(or val/<class>/, or all three)"
            )
    found = {"train": "train", "test": test}
    return found | {"holdout": validation} if validation and validation != test else found


def _listing(root: Path, folder: Path, part: str) -> Listing:
    """Class -> files of a part. Links that lead out of the data root are refused."""
    classes: dict[str, list[Path]] = {}
    home = root.resolve()
    for one in _visible(folder / part):
        if not _is(one.is_dir):
            continue
        files = _visible(Path(one.path))
        if strange := next((file for file in files if not _is(file.is_file)), None):
            where = _shown(Path(strange.path), folder)
            raise DataUnavailable(f"{where} is no file; images lie directly in {part}/<class>/")
        for entry in (one, *(file for file in files if file.is_symlink())):
            if not Path(entry.path).resolve().is_relative_to(home):
                raise DataUnavailable(f"{_shown(Path(entry.path), folder)} is a link that leaves the data root")
        name = unicodedata.normalize("NFC", one.name)  # a Mac writes accents in two pieces
        if not name.isprintable():
            raise DataUnavailable(f"class folder {name!r} of {folder.name!r} has a name that cannot be shown")
        if name in classes:
            raise DataUnavailable(f"{part}/ of {folder.name!r} has two folders of the name {name!r}; join them")
        if not files:
            raise DataUnavailable(f"class {name!r} of {folder.name!r} has no images in {part}/")
        classes[name] = [Path(file.path) for file in files]
    if len(classes) < 2:
        raise DataUnavailable(f"{part}/ of {folder.name!r} has {len(classes)} class; it needs at least two")
    return dict(sorted(classes.items()))


def _is(asked: Callable[[], bool]) -> bool:
    """What an entry says of itself; no, of a link that leads back to itself."""
    try:
        return asked()
    except OSError:
        return False


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    """What a person put there, by name; entries know without asking the disk again whether they are files or links."""
    with os.scandir(folder) as entries:
        seen = [one for one in entries if not one.name.startswith(".") and one.name.lower() not in OF_THE_SYSTEM]
    return sorted(seen, key=lambda one: one.name)


def _check_classes(folder: Path, parts: Mapping[str, Listing]) -> None:
    """Raise DataUnavailable unless all parts have the same classes, and each something to hold out."""
    train = parts["train"]
    for part in parts.values():
        for here, there in ((train, part), (part, train)):
            if lonely := sorted(set(here) - set(there)):
                one, other = (_part_of(listing) for listing in (here, there))
                raise DataUnavailable(
                    f"{', '.join(map(repr, lonely))} of {folder.name!r}: images in {one}/, but none in {other}/"
                )
    if "holdout" not in parts and max(map(len, train.values())) == 1:
        raise DataUnavailable(
            f"every class of {folder.name!r} has one image in train/, so that none can be held out to choose by; "
            "give more, or a part val/"
        )


def _part_of(listing: Listing) -> str:
    return next(iter(listing.values()))[0].parents[1].name


def _read(folder: Path, parts: Mapping[str, Listing], wanted: Folder) -> Raw:
    """Decode every file."""
    seen: dict[str, Counter[str]] = {"sizes": Counter(), "modes": Counter(), "converted": Counter()}
    images = {use: _decode(folder, listing, wanted, seen) for use, listing in parts.items()}
    shapes = {part.x.shape[2:] for part in images.values()}
    if len(shapes) > 1:
        raise _of_several_sizes(folder, shapes)
    files = Files(notes=tuple(_notes(parts)), **{name: _commonest(found) for name, found in seen.items()})
    return Raw(images["train"], images["test"], tuple(parts["train"]), images.get("holdout"), files)


def _commonest(found: Counter[str]) -> dict[str, int]:
    named = dict(found.most_common(NAMED))
    others = found.total() - sum(named.values())
    return named | ({"others": others} if others else {})


def _notes(parts: Mapping[str, Listing]) -> Iterator[str]:
    test = _part_of(parts["test"])
    if test != "test":
        yield f"{test}/ is tested on, since there is no test/; images to choose by are drawn from train/"
    if "holdout" not in parts and (alone := [name for name, files in parts["train"].items() if len(files) == 1]):
        yield f"none held out of {', '.join(alone)}: one image in train/"


def _decode(folder: Path, classes: Listing, wanted: Folder, seen: Mapping[str, Counter[str]]) -> Images:
    """The images of a part, each decoded into its place."""
    files = [(label, file) for label, name in enumerate(classes) for file in classes[name]]
    x: Bytes | None = None
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # decoding releases the interpreter lock
        for start in range(0, len(files), DECODING):
            some = files[start : start + DECODING]
            for at, picture in enumerate(pool.map(lambda item: _picture(folder, item[1], wanted), some), start):
                _count(picture, seen)
                pixels = picture.pixels.transpose(2, 0, 1)
                x = np.empty((len(files), *pixels.shape), np.uint8) if x is None else x
                if x.shape[1:] != pixels.shape:
                    raise _of_several_sizes(folder, {x.shape[2:], pixels.shape[1:]})
                x[at] = pixels
    assert x is not None  # no class is empty
    return Images(x, np.array([label for label, _ in files], dtype=np.int64))


def _count(picture: Picture, seen: Mapping[str, Counter[str]]) -> None:
    seen["sizes"]["{}x{}".format(*picture.size)] += 1
    seen["modes"][picture.mode] += 1
    seen["converted"].update(picture.converted)


def _of_several_sizes(folder: Path, shapes: set[tuple[int, ...]]) -> DataUnavailable:
    extents = ", ".join(f"{width}x{height}" for height, width in sorted(shapes))
    return DataUnavailable(f"the images of {folder.name!r} differ in size ({extents}, …); give a size, for example 32")


def _picture(folder: Path, file: Path, wanted: Folder) -> Picture:
    try:
        return read_picture(file, wanted)
    except Exception as error:  # whatever a decoder raises on bytes that it does not expect
        reason = str(error).replace(str(file), "").replace(repr(str(file))[1:-1], "").strip(" '")
        raise DataUnavailable(
            f"{_shown(file, folder)} of {folder.name!r} is not a readable image: {reason or type(error).__name__}"
        ) from error


def _shown(file: Path, folder: Path) -> str:
    """A file's name, whatever bytes are in it."""
    name = os.fsencode(file.relative_to(folder)).decode(errors="replace")
    return name if name.isprintable() else repr(name)
