"""What people read. Numbers are short; words that somebody else chose, such as names and errors, are made fit to be
shown: they are data, never instructions."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from rich.console import Console

from espalier.search.answers.values import Sample

_MARKDOWN = re.compile(r"[\\`*_\[\]<>|]")


def make_console(stderr: bool = False) -> Console:
    """A console that takes words as they are: no markup in them, no emoji."""
    return Console(stderr=stderr, markup=False, emoji=False)


def plain(text: str, lines: bool = False) -> str:
    """Without what a terminal would take for instructions; in one line, unless `lines` may stay."""
    return "".join(c if c.isprintable() or (lines and c == "\n") else "�" for c in text)


def strict_json(text: str) -> Any:
    """A value as JSON writes it. Raises ValueError for anything else, numbers without end too."""
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def json_or_word(text: str) -> Any:
    """A number, true, false or null as JSON writes it; anything else is a word."""
    try:
        return strict_json(text)
    except (ValueError, RecursionError):
        return text.strip()


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _refuse(text)


def markdown(text: str) -> str:
    """As a document shows it: no markup, no HTML, no end of a table's cell."""
    return _MARKDOWN.sub(r"\\\g<0>", plain(text))


WAYS = {
    ("untuned", "epochs"): "as cut",
    ("inherited", "epochs"): "fine-tuned",
    ("scratch", "epochs"): "scratch",
    ("scratch", "compute"): "compute",
    ("scratch", "pipeline"): "pipeline",
    ("distilled", "epochs"): "distilled",
    ("distilled", "compute"): "distilled, compute",
    ("distilled", "pipeline"): "distilled, pipeline",
}


_SIZES = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15}
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kKmMgGtTpP]?)\s*")


def count(number: float) -> str:
    """A large number in four digits: 353.1 k, 37.14 M."""
    for unit, size in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.4g} {unit}"
    return f"{number:.0f}"


def no_amount(text: str) -> str:
    """What is said of something else."""
    return f"{text!r} is no amount; 100k, 2.5M and 4 are"


def amount_of(text: str) -> float | None:
    """What `count` writes, read again: 100k, 2.5 M, 4; None for what is no amount."""
    written = _AMOUNT.fullmatch(text)
    return float(written[1]) * _SIZES[written[2].lower()] if written else None


def duration(seconds: float | None) -> str:
    """A length of time, in the one or two units that matter."""
    if seconds is None:
        return "unknown"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"


def percent(sample: Sample) -> str:
    """A mean over seeds with its deviation, in per cent."""
    spread = f" ± {100 * sample.std:.2f}" if sample.std is not None else ""
    return f"{100 * sample.mean:.2f}{spread}"
