"""An export format: the widths, a line each."""

from __future__ import annotations

from espalier.search.exports.base import Source
from espalier.search.file import File


def to_widths(source: Source) -> File:
    """Group and width, a line each; behind them what was measured, where it is known."""
    lines = [f"{name} {width}" for name, width in source.config.widths.items()]
    measured = source.measured or {}
    lines += [f"# {name} {value:.3f}" for name, value in measured.get("test", {}).items()]
    return File(("\n".join(lines) + "\n").encode(), "text/plain", "txt")
