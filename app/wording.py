"""How numbers and ways of training are written, wherever people read them."""

from __future__ import annotations

from espalier.search.answers.values import Sample

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


def count(number: float) -> str:
    """A large number in four digits: 353.1 k, 37.14 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.4g} {unit}"
    return f"{number:.0f}"


def percent(sample: Sample) -> str:
    """A mean over seeds with its deviation, in per cent."""
    spread = f" ± {100 * sample.std:.2f}" if sample.std is not None else ""
    return f"{100 * sample.mean:.2f}{spread}"
