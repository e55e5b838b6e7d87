"""Channels of every group as bars, within the outline of the dense network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from espalier.app.charts.axes import Axis
from espalier.app.charts.plot import COLOURS, LETTER, ruled
from espalier.app.charts.svg import Markup, document, group, tag

HEIGHT, LEFT, TOP, BOTTOM = 180, 40, 24, 30
WIDEST, NARROWEST, WIDTH = 34, 3, 880
"""Pixels that a bar takes at most and at least, and all of them together, where they can."""


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
    axis = Axis("channels", 0, 1.06 * max((one.whole for one in groups), default=1), "{:g}".format, is_whole=True)
    parts = [group(ruled(axis, step * len(groups), HEIGHT), transform=f"translate({LEFT} {TOP})")]
    parts += [
        group(_bar(one, axis, step, place), transform=f"translate({LEFT} {TOP})", tabindex=0, role="img",
              aria_label=_says(one, names))
        for place, one in enumerate(groups)
    ]  # fmt: skip
    parts.append(group(_stages(groups, step), transform=f"translate({LEFT} {TOP})"))
    parts.append(group(_legend(names), transform=f"translate({LEFT} 12)"))
    return document(width, TOP + HEIGHT + BOTTOM, title, parts, alone)


def _says(one: Bar, names: Sequence[str]) -> str:
    kept = ", ".join(f"{name} keeps {kept}" for name, kept in zip(names, one.kept, strict=True))
    return f"{one.name}: {kept} of {one.whole}"


def _bar(one: Bar, axis: Axis, step: float, place: int) -> Iterator[Markup]:
    yield tag("title", f"{one.name}: {', '.join(map(str, one.kept))} of {one.whole}")
    whole = HEIGHT * axis.at(one.whole)
    gap = step * 0.12
    yield tag(
        "rect", x=place * step + gap, y=HEIGHT - whole, width=step - 2 * gap, height=whole,
        fill="currentColor", fill_opacity=0.06, stroke="currentColor", stroke_opacity=0.35,
    )  # fmt: skip
    each = (step - 2 * gap) / len(one.kept)
    for number, kept in enumerate(one.kept):
        height = HEIGHT * axis.at(kept)
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
