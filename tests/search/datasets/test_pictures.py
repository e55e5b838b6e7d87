"""Pictures as a viewer shows them: upright, opaque, eight bits, never squeezed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from espalier.search.datasets.pictures import Picture, read_picture
from espalier.search.spec import Folder

COLOUR = Folder(folder="x")
GREY = Folder(folder="x", channels=1)


def read(image: Image.Image, path: Path, wanted: Folder = COLOUR, **options: object) -> Picture:
    image.save(path, **options)
    return read_picture(path, wanted)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("kind", [">u2", "<u2"])
def test_sixteen_bits_are_scaled(kind: str, suffix: str, tmp_path: Path) -> None:
    levels = np.array([[0, 20_000], [50_000, 65_535]], dtype=kind)
    found = read(Image.fromarray(levels), tmp_path / f"deep.{suffix}", GREY)
    assert found.pixels[..., 0].tolist() == [[0, 78], [195, 255]]
    assert found.converted == ("scaled to 8 bits",)


def test_levels_of_more_bits_are_taken_as_sixteen(tmp_path: Path) -> None:
    found = read(Image.fromarray(np.array([[0, 65_535]], np.int32)), tmp_path / "deep.tif", GREY)
    assert found.pixels[..., 0].tolist() == [[0, 255]]


def test_fractions_are_scaled(tmp_path: Path) -> None:
    found = read(Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), tmp_path / "f.tif", GREY)
    assert found.pixels[..., 0].tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("values", [[0.0, 1.5], [-0.1, 1.0], [float("nan"), 1.0]])
def test_what_is_white_must_be_known(values: list[float], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"fractions from .* where 0 is black and 1 is white"):
        read(Image.fromarray(np.array([values], np.float32)), tmp_path / "f.tif")
    with pytest.raises(ValueError, match="levels from 0 to 70000"):
        read(Image.fromarray(np.array([[0, 70_000]], np.int32)), tmp_path / "i.tif")


@pytest.mark.parametrize(
    ("tag", "turn"),
    [
        (1, lambda x: x),
        (2, np.fliplr),
        (3, lambda x: np.rot90(x, 2)),
        (4, np.flipud),
        (5, np.transpose),
        (6, lambda x: np.rot90(x, -1)),
        (7, lambda x: np.rot90(np.transpose(x), 2)),
        (8, np.rot90),
    ],
)
def test_the_cameras_orientation_is_honoured(tag: int, turn: object, tmp_path: Path) -> None:
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    exif = Image.Exif()
    exif[0x0112] = tag
    found = read(Image.fromarray(stored), tmp_path / "photo.png", GREY, exif=exif)
    upright = turn(stored)  # type: ignore[operator]
    assert np.array_equal(found.pixels[..., 0], upright)
    assert found.size == upright.shape[::-1]
    assert ("turned upright" in found.converted) == (tag != 1)


def test_transparent_pixels_are_laid_on_white(tmp_path: Path) -> None:
    pixels = np.array([[[200, 0, 0, 255], [200, 0, 0, 0], [200, 0, 0, 51]]], np.uint8)
    found = read(Image.fromarray(pixels), tmp_path / "cut.png")
    assert found.pixels.tolist() == [[[200, 0, 0], [255, 255, 255], [244, 204, 204]]]
    assert found.converted == ("laid on white",)


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_colour_that_stands_for_transparent_is_laid_on_white_too(mode: str, tmp_path: Path) -> None:
    image = Image.new(mode, (2, 1), 0)
    if mode == "P":
        image.putpalette([10, 20, 30])
    transparent = (0, 0, 0) if mode == "RGB" else 0
    assert read(image, tmp_path / "cut.png", transparency=transparent).pixels.tolist() == [[[255] * 3] * 2]


@pytest.mark.parametrize(
    ("image", "pixel"),
    [
        (Image.new("1", (1, 1), 1), [255, 255, 255]),
        (Image.new("L", (1, 1), 7), [7, 7, 7]),
        (Image.new("LA", (1, 1), (7, 255)), [7, 7, 7]),
        (Image.new("CMYK", (1, 1), (255, 0, 0, 0)), [0, 255, 255]),
        (Image.new("YCbCr", (1, 1), (7, 128, 128)), [7, 7, 7]),
    ],
)
def test_other_modes_are_as_viewers_show_them(image: Image.Image, pixel: list[int], tmp_path: Path) -> None:
    found = read(image, tmp_path / "x.tif")
    assert np.abs(found.pixels[0, 0].astype(int) - pixel).max() <= 1
    assert found.mode == image.mode


def test_a_palette_is_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (1, 1), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert read(image, tmp_path / "p.png").pixels.tolist() == [[[10, 20, 30]]]


def test_colours_become_grey_where_one_channel_is_asked_for(tmp_path: Path) -> None:
    found = read(Image.new("RGB", (3, 2), (255, 0, 0)), tmp_path / "red.png", GREY)
    assert (found.pixels.shape, int(found.pixels[0, 0, 0])) == ((2, 3, 1), 76)


def halves() -> Image.Image:
    """Twice as wide as high: dark outer quarters, a bright middle."""
    pixels = np.full((20, 40), 50, np.uint8)
    pixels[:, 10:30] = 250
    return Image.fromarray(pixels)


def test_the_middle_is_taken_of_what_is_not_square(tmp_path: Path) -> None:
    found = read(halves(), tmp_path / "wide.png", Folder(folder="x", size=10, channels=1))
    assert found.pixels.shape == (10, 10, 1)
    assert found.pixels.min() > 200
    assert found.size == (40, 20)


def test_or_all_of_it_between_black_bars(tmp_path: Path) -> None:
    found = read(halves(), tmp_path / "wide.png", Folder(folder="x", size=12, fit="pad", channels=1)).pixels[..., 0]
    assert found.shape == (12, 12)
    assert found[:3].max() == found[9:].max() == 0
    assert found[6].min() >= 50
    assert found[6, 5] > 240
