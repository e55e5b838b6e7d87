"""Channels of every group as bars, within the outline of the dense network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from espalier.app.charts.axes import spanning
from espalier.app.charts.plot import LETTER
from espalier.app.charts.svg import Markup, document, group, tag

HEIGHT, LEFT, TOP, BOTTOM = 180, 40, 24, 30
WIDEST, NARROWEST, WIDTH = 34, 3, 880
"""Pixels that a bar takes at most and at least, and all of them together, where they can."""
COLOURS = ("#0072b2", "#d55e00")
"""Of the first network, and of one beside it."""


@dataclass(frozen=True)
class Bar:
    """A channel group: how many channels the dense network has, and how many each network keeps."""

    name: str
    stage: int
    whole: int
    kept: Sequence[int]


def bars(title: str, groups: Sequence[Bar], names: Sequence[str], alone: bool = True) -> Markup:
    """One bar for each group, from the first to the last, as SVG; two where there are two networks."""
    step = min(WIDEST, max(NARROWEST, WIDTH / max(1, len(groups))))
    width = max(LEFT + step * len(groups) + 10, LEFT + LETTER * sum(len(name) + 6 for name in names))
    axis = spanning("channels", [0, *(one.whole for one in groups)], "{:g}".format)
    parts = [group(_scale(axis.ticks, axis.high, step * len(groups)), transform=f"translate({LEFT} {TOP})")]
    parts += [
        group(_bar(one, axis.high, step, place), transform=f"translate({LEFT} {TOP})", tabindex=0, role="img",
              aria_label=_says(one, names))
        for place, one in enumerate(groups)
    ]  # fmt: skip
    parts.append(group(_stages(groups, step), transform=f"translate({LEFT} {TOP})"))
    parts.append(group(_legend(names), transform=f"translate({LEFT} 12)"))
    return document(width, TOP + HEIGHT + BOTTOM, title, parts, alone)


def _says(one: Bar, names: Sequence[str]) -> str:
    kept = ", ".join(f"{name} keeps {kept}" for name, kept in zip(names, one.kept, strict=True))
    return f"{one.name}: {kept} of {one.whole}"


def _scale(ticks: Sequence[float], high: float, width: float) -> Iterator[Markup]:
    for value in ticks:
        y = HEIGHT * (1 - value / high)
        if 0 <= y <= HEIGHT:
            yield tag("line", x1=0, x2=width, y1=y, y2=y, stroke="currentColor", opacity=0.1)
            yield tag("text", f"{value:g}", x=-6, y=y + 4, text_anchor="end", fill="currentColor")


def _bar(one: Bar, high: float, step: float, place: int) -> Iterator[Markup]:
    yield tag("title", f"{one.name}: {', '.join(map(str, one.kept))} of {one.whole}")
    whole = HEIGHT * one.whole / high
    gap = step * 0.12
    yield tag(
        "rect", x=place * step + gap, y=HEIGHT - whole, width=step - 2 * gap, height=whole,
        fill="currentColor", fill_opacity=0.06, stroke="currentColor", stroke_opacity=0.35,
    )  # fmt: skip
    each = (step - 2 * gap) / len(one.kept)
    for number, kept in enumerate(one.kept):
        height = HEIGHT * kept / high
        yield tag("rect", x=place * step + gap + number * each, y=HEIGHT - height, width=each, height=height,
                  fill=COLOURS[number])  # fmt: skip


def _stages(groups: Sequence[Bar], step: float) -> Iterator[Markup]:
    """Below the bars: where each resolution begins."""
    before = None
    for place, one in enumerate(groups):
        if one.stage != before:
            x = place * step
            yield tag("line", x1=x, x2=x, y1=HEIGHT, y2=HEIGHT + 14, stroke="currentColor", opacity=0.5)
            yield tag("text", str(one.stage), x=x + 3, y=HEIGHT + 14, fill="currentColor")
            before = one.stage
    yield tag("text", "stage", x=-6, y=HEIGHT + 14, text_anchor="end", fill="currentColor")


def _legend(names: Sequence[str]) -> Iterator[Markup]:
    x = 0.0
    for name, colour in zip(names, COLOURS, strict=False):
        yield tag("rect", x=x, y=-8, width=9, height=9, fill=colour)
        yield tag("text", name, x=x + 13, y=0, fill="currentColor")
        x += LETTER * len(name) + 30
