"""Image folders: train/<class>/… and test/<class>/… under the data root."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from espalier.search.datasets.base import Bytes, Images, Raw, channels_first
from espalier.search.datasets.recipes import PAPER, QUICK
from espalier.search.errors import DataUnavailable
from espalier.search.spec import Folder

FOLDER_RECIPES = {"quick": QUICK, "paper": PAPER}


def read_folder(root: Path, folder: Folder) -> tuple[str, Callable[[], Raw]]:
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


def _decode(base: Path, classes: Mapping[str, list[Path]], size: int | None) -> Images:
    files = [(label, file) for label, name in enumerate(classes) for file in classes[name]]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # decoding releases the interpreter lock
        images = list(pool.map(lambda item: _image(base, item[1], size), files))
    sizes = {image.shape for image in images}
    if len(sizes) > 1:
        extents = ", ".join(f"{w}x{h}" for h, w, _ in sorted(sizes)[:4])
        raise DataUnavailable(f"the images of {base.name!r} differ in size ({extents}, …); give a size, for example 32")
    return Images(channels_first(np.stack(images)), np.array([label for label, _ in files], dtype=np.int64))


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
