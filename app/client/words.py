"""Words that somebody else chose, such as names and errors, made fit to be shown: they are data, never instructions."""

from __future__ import annotations

import re

from rich.console import Console

_MARKDOWN = re.compile(r"[\\`*_\[\]<>|]")


def make_console(stderr: bool = False) -> Console:
    """A console that takes words as they are: no markup in them, no emoji."""
    return Console(stderr=stderr, markup=False, emoji=False)


def plain(text: str, lines: bool = False) -> str:
    """Without what a terminal would take for instructions; in one line, unless `lines` may stay."""
    return "".join(c if c.isprintable() or (lines and c == "\n") else "�" for c in text)


def markdown(text: str) -> str:
    """As a document shows it: no markup, no HTML, no end of a table's cell."""
    return _MARKDOWN.sub(r"\\\g<0>", plain(text))
