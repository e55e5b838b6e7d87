"""Pictures as files: SVG as they are, PNG and PDF through an optional package."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".svg", ".png", ".pdf")
SCALE = 2
"""Pixels of a PNG for each of the SVG."""


class CannotSave(ValueError):
    """What a file's name asks for cannot be written; says what can."""


def save(svg: str, path: Path) -> None:
    """Write a picture, in the form that the file's name ends with. Raises CannotSave, or OSError."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise CannotSave(f"a picture is saved as one of {', '.join(SUFFIXES)}, got {path.name!r}")
    if suffix == ".svg":
        path.write_text(svg, encoding="utf-8")
        return
    try:
        import vl_convert
    except ImportError as error:
        raise CannotSave(
            f"{suffix} needs a package that is not here: pip install 'espalier-nas[pictures]'; .svg needs none"
        ) from error
    path.write_bytes(vl_convert.svg_to_png(svg, scale=SCALE) if suffix == ".png" else vl_convert.svg_to_pdf(svg))
