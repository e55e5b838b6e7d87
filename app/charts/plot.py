"""Points with error bars, and lines through them: everything that our pictures are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from espalier.app.charts.axes import Axis
from espalier.app.charts.svg import Markup, document, group, tag

WIDTH, HEIGHT = 400, 270
"""Of the area between the axes of a panel, in pixels."""
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 26, 42
LINE, LETTER = 18, 6.3
"""Height of a line of the legend, and how wide a letter is about."""
MARK = 4.2
LONGEST = 60
"""Letters of a name in the legend."""
GREY = "#8c959f"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31")
"""Okabe and Ito's, which colour-blind readers can tell apart, on light ground and on dark."""


@dataclass(frozen=True)
class Look:
    """Colour, and the shape of points. Both tell series apart, so that either alone is enough."""

    colour: str
    shape: str = "circle"


@dataclass(frozen=True)
class Mark:
    """One point: where it lies, how far its bar reaches, what is said of it, and where it leads."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    says: str = ""
    leads: str | None = None
    is_ringed: bool = False


def reach(marks: Iterable[Mark]) -> list[float]:
    """How far points go with their bars, up and down."""
    return [y for mark in marks for y in (mark.y, mark.low, mark.high) if y is not None]


@dataclass(frozen=True)
class Series:
    """Points of one name and look, in the order in which a line joins them, if one does."""

    name: str
    look: Look
    marks: Sequence[Mark]
    is_joined: bool = True


@dataclass(frozen=True)
class Level:
    """A line across at a height."""

    y: float
    says: str


@dataclass(frozen=True)
class Panel:
    """Series over one pair of axes."""

    x: Axis
    y: Axis
    series: Sequence[Series]
    levels: Sequence[Level] = ()
    title: str = ""
    front: Sequence[tuple[float, float]] = ()
    """Corners of a staircase behind the series: the best for what it costs."""


def draw(title: str, panels: Sequence[Panel], alone: bool = True) -> Markup:
    """Panels side by side, and below them which series is which, as SVG."""
    step = LEFT + WIDTH + RIGHT
    width = step * len(panels)
    legend = [*_legend({one.name: one.look for panel in panels for one in panel.series if one.marks}, width)]
    lines = 1 + max((line for line, _ in legend), default=-1)
    parts = [_shifted(at * step + LEFT, TOP, _panel(panel)) for at, panel in enumerate(panels)]
    parts += [entry for _, entry in legend]
    return document(width, TOP + HEIGHT + BOTTOM + LINE * lines + 4, title, parts, alone)


def _panel(panel: Panel) -> Iterator[Markup]:
    yield from _frame(panel)
    for level in panel.levels:
        y = _down(panel, level.y)
        yield tag("line", x1=0, x2=WIDTH, y1=y, y2=y, stroke=GREY, stroke_dasharray="5 4")
        yield tag("text", level.says, x=4, y=y - 4, fill="currentColor", opacity=0.75)
    if panel.front:
        yield tag("path", d=_staircase(panel), fill="none", stroke=GREY, opacity=0.45, stroke_width=2.5)
    for series in panel.series:
        yield group(_series(panel, series), class_="series")


def _frame(panel: Panel) -> Iterator[Markup]:
    """Axes, their numbers and what they measure."""
    for value in panel.x.ticks:
        x, words = panel.x.at(value) * WIDTH, panel.x.written(value)
        anchor = "end" if x + LETTER * len(words) / 2 > WIDTH + RIGHT else "middle"  # nothing is cut off
        yield tag("line", x1=x, x2=x, y1=0, y2=HEIGHT, stroke="currentColor", opacity=0.1)
        yield tag("text", words, x=x, y=HEIGHT + 15, text_anchor=anchor, fill="currentColor")
    yield from ruled(panel.y, WIDTH, HEIGHT)
    yield tag("path", d=f"M0 0V{HEIGHT}H{WIDTH}", fill="none", stroke="currentColor", opacity=0.6)
    yield tag("text", panel.x.label, x=WIDTH / 2, y=HEIGHT + 33, text_anchor="middle", fill="currentColor")
    yield tag("text", panel.y.label, x=-LEFT + 8, y=-12, fill="currentColor")
    if panel.title:
        yield tag("text", panel.title, x=WIDTH, y=-12, text_anchor="end", font_weight="bold", fill="currentColor")


def ruled(axis: Axis, width: float, height: float) -> Iterator[Markup]:
    """The lines of an axis that goes up, and its numbers to the left of them."""
    for value in axis.ticks:
        y = (1 - axis.at(value)) * height
        yield tag("line", x1=0, x2=width, y1=y, y2=y, stroke="currentColor", opacity=0.1)
        yield tag("text", axis.written(value), x=-6, y=y + 4, text_anchor="end", fill="currentColor")


def _staircase(panel: Panel) -> str:
    """From each point right, as far as the next, then up."""
    places = [(panel.x.at(x) * WIDTH, _down(panel, y)) for x, y in sorted(panel.front)]
    steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in places[1:])
    return f"M{places[0][0]:.1f} {places[0][1]:.1f}{steps}H{WIDTH}"


def _series(panel: Panel, series: Series) -> Iterator[Markup]:
    known = [mark for mark in series.marks if math.isfinite(mark.x) and math.isfinite(mark.y)]
    places = [(panel.x.at(mark.x) * WIDTH, _down(panel, mark.y)) for mark in known]
    if series.is_joined and len(places) > 1:
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield tag("path", d=f"M{path}", fill="none", stroke=series.look.colour, stroke_width=1.5)
    for mark, (x, y) in zip(known, places, strict=True):
        yield _mark(panel, series, mark, x, y)


def _mark(panel: Panel, series: Series, mark: Mark, x: float, y: float) -> Markup:
    """A point that can be pointed at, reached by the keyboard, and read aloud."""
    parts: list[Markup] = []
    if mark.low is not None and mark.high is not None and mark.high > mark.low:
        top, bottom = _down(panel, mark.high), _down(panel, mark.low)
        bar = f"M{x:.1f} {top:.1f}V{bottom:.1f}M{x - 3:.1f} {top:.1f}h6M{x - 3:.1f} {bottom:.1f}h6"
        parts.append(tag("path", d=bar, stroke=series.look.colour, fill="none"))
    if mark.is_ringed:
        parts.append(tag("circle", cx=x, cy=y, r=MARK + 3.5, fill="none", stroke=series.look.colour, opacity=0.7))
    parts.append(shape(series.look, x, y))
    if not mark.says:
        return group(parts)
    title = tag("title", mark.says)
    if mark.leads is not None:
        return tag("a", title, *parts, href=mark.leads, aria_label=mark.says)
    return group([title, *parts], tabindex=0, role="img", aria_label=mark.says)


def shape(look: Look, x: float, y: float) -> Markup:
    """One mark."""
    at, r = f"M{x:.1f} {y:.1f}", MARK
    if look.shape == "circle":
        return tag("circle", cx=x, cy=y, r=r, fill=look.colour)
    if look.shape == "cross":
        return tag("path", d=f"{at}m-3-3l6 6m0-6l-6 6", stroke=look.colour, fill="none")
    paths = {
        "square": f"{at}m{-r} {-r}h{2 * r}v{2 * r}h{-2 * r}z",
        "diamond": f"{at}m0 {-1.3 * r}l{1.3 * r} {1.3 * r}l{-1.3 * r} {1.3 * r}l{-1.3 * r} {-1.3 * r}z",
        "up": f"{at}m0 {-1.2 * r}l{1.2 * r} {2.2 * r}h{-2.4 * r}z",
        "bar": f"{at}m{-1.4 * r} {-r / 2}h{2.8 * r}v{r}h{-2.8 * r}z",
        "down": f"{at}m0 {1.2 * r}l{1.2 * r} {-2.2 * r}h{-2.4 * r}z",
        "plus": f"{at}m-1.5 {-r}h3v{r - 1.5}h{r - 1.5}v3h{1.5 - r}v{r - 1.5}h-3v{1.5 - r}h{1.5 - r}v-3h{r - 1.5}z",
    }
    return tag("path", d=paths[look.shape], fill=look.colour)


def _legend(looks: dict[str, Look], width: float) -> Iterator[tuple[int, Markup]]:
    """Lines from 0, and what stands in them."""
    line, x = 0, float(LEFT)
    for name, look in looks.items():
        name = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
        room = 30 + LETTER * len(name)
        if x > LEFT and x + room > width:
            line, x = line + 1, float(LEFT)
        y = TOP + HEIGHT + BOTTOM + LINE * line + 8
        words = tag("text", name, x=x + 12, y=y + 4, fill="currentColor")
        yield line, group([shape(look, x, y), words])
        x += room


def _shifted(x: float, y: float, parts: Iterator[Markup]) -> Markup:
    return group(parts, transform=f"translate({x:g} {y:g})")


def _down(panel: Panel, value: float) -> float:
    return (1 - panel.y.at(value)) * HEIGHT
