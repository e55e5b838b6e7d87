"""One picture file as bytes: upright, opaque, eight bits a channel, as a viewer shows it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from espalier.search.datasets.base import Bytes
from espalier.search.spec import Folder

BEHIND = (255, 255, 255)
"""The colour that transparent pixels are laid on: white, as on a page."""
DEEP = 65_535
"""White, where a pixel has 16 bits."""


class Picture(NamedTuple):
    """A picture as it is learned from, and what its file was."""

    pixels: Bytes
    """[height, width, channels]"""
    size: tuple[int, int]
    """Width and height of the file, upright."""
    mode: str
    """Pillow's word for the kind of its pixels."""
    converted: tuple[str, ...]
    """What was done to it besides its colours and its size."""


def read_picture(file: Path, wanted: Folder) -> Picture:
    """Decode one file. Raises ValueError, or what Pillow raises, where it cannot be read."""
    converted = []
    with Image.open(file) as image:
        mode = image.mode
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            converted.append("turned upright")
        upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;"):
        converted.append("scaled to 8 bits")
        upright = _shallow(upright)
    if upright.has_transparency_data:
        converted.append("laid on white")
        upright = _opaque(upright)
    coloured = upright.convert("L" if wanted.channels == 1 else "RGB")
    pixels = np.asarray(_fitted(coloured, wanted))
    return Picture(pixels.reshape(*pixels.shape[:2], wanted.channels), upright.size, mode, tuple(converted))


def _shallow(image: Image.Image) -> Image.Image:
    """Grey levels of 16 bits, or fractions from 0 to 1, as 8 bits."""
    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    white, kind = (1.0, "fractions") if image.mode == "F" else (float(DEEP), "levels")
    if not 0 <= low <= high <= white:  # a NaN is not, either
        raise ValueError(f"{kind} from {low:g} to {high:g}, where 0 is black and {white:g} is white")
    return Image.fromarray((values * (255 / white)).round().astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    front = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", front.size, BEHIND), front).convert("RGB")


def _fitted(image: Image.Image, wanted: Folder) -> Image.Image:
    """At the size that is asked for, if any; sides keep their proportion."""
    if wanted.size is None:
        return image
    square, bilinear = (wanted.size, wanted.size), Image.Resampling.BILINEAR
    return (ImageOps.fit if wanted.fit == "crop" else ImageOps.pad)(image, square, bilinear)
