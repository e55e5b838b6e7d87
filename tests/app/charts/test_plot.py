"""Points, bars and lines: where they lie, who can reach them, and what is left out."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from espalier.app.charts.axes import Axis, spanning
from espalier.app.charts.figures import LOOKS
from espalier.app.charts.plot import HEIGHT, LONGEST, WIDTH, Level, Look, Mark, Panel, Series, draw, shape

SVG = "{http://www.w3.org/2000/svg}"


def panel(*marks: Mark, name: str = "a", **changes: object) -> Panel:
    x, y = (spanning(label, [0, 10], "{:g}".format) for label in "xy")
    return Panel(x, y, [Series(name, Look("#123456"), marks)], **changes)  # type: ignore[arg-type]


def drawn(*panels: Panel) -> ElementTree.Element:
    return ElementTree.fromstring(draw("t", panels))


def circles(svg: ElementTree.Element) -> list[tuple[float, float]]:
    found = [
        one for series in svg.iter(f"{SVG}g") if series.get("class") == "series" for one in series.iter(f"{SVG}circle")
    ]
    return [(float(one.get("cx", "")), float(one.get("cy", ""))) for one in found]


def test_points_lie_where_their_numbers_are() -> None:
    (left, low), (middle, half), (right, high) = circles(drawn(panel(Mark(0, 0), Mark(5, 5), Mark(10, 10))))
    assert 0 < left < middle < right < WIDTH
    assert 0 < high < half < low < HEIGHT
    assert (middle, half) == (pytest.approx(WIDTH / 2), pytest.approx(HEIGHT / 2))


def test_a_point_says_what_it_is_to_pointers_keyboards_and_readers() -> None:
    svg = drawn(panel(Mark(1, 1, says="one"), Mark(2, 2, says="two <b>", leads="/architectures/x"), Mark(3, 3)))
    (reached,) = [one for one in svg.iter(f"{SVG}g") if one.get("tabindex") == "0"]
    assert (reached.get("aria-label"), reached[0].text) == ("one", "one")
    (link,) = svg.iter(f"{SVG}a")
    assert (link.get("href"), link.get("aria-label"), link[0].text) == ("/architectures/x", "two <b>", "two <b>")


def test_no_number_below_is_cut_off_at_the_right() -> None:
    across = Axis("x", 0, 1, "a very long number {:g}".format)
    found = drawn(Panel(across, across, [Series("a", Look("#123456"), [Mark(0, 0), Mark(1, 1)])]))
    below = {
        one.text: one.get("text-anchor") for one in found.iter(f"{SVG}text") if float(one.get("y", 0)) == HEIGHT + 15
    }
    assert (below["a very long number 0.4"], below["a very long number 1"]) == ("middle", "end")


def test_a_bar_reaches_as_far_as_it_should_and_is_left_out_where_there_is_none() -> None:
    svg = drawn(panel(Mark(5, 5, 2, 8), Mark(6, 6, 6, 6), Mark(7, 7)))
    bars = [one.get("d", "") for one in svg.iter(f"{SVG}path") if "h6" in one.get("d", "")]
    assert len(bars) == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_left_out(bad: float) -> None:
    svg = drawn(panel(Mark(bad, 1), Mark(1, bad), Mark(1, 1)))
    assert len(circles(svg)) == 1
    assert "nan" not in ElementTree.tostring(svg, "unicode")


def test_a_panel_of_nothing_and_one_point_are_pictures_too() -> None:
    assert circles(drawn(panel())) == []
    assert len(circles(drawn(panel(Mark(1, 1))))) == 1


def test_the_legend_names_every_series_with_points_once_and_breaks_its_lines() -> None:
    names = [f"a series with a rather long name, {n}" for n in range(5)]
    svg = drawn(*(panel(Mark(1, 1), name=name) for name in names), panel(Mark(2, 2), name=names[0]), panel(name="none"))
    written = [one.text for one in svg.iter(f"{SVG}text")]
    assert [written.count(name) for name in (*names, "none")] == [1, 1, 1, 1, 1, 0]
    long = [f"{letter * 90}" for letter in "uvwxyz"]
    narrow = drawn(*(panel(Mark(1, 1), name=name) for name in long[:2]), *(panel(name=name) for name in long[2:]))
    entries = [one for one in narrow.iter(f"{SVG}text") if (one.text or "").endswith("…")]
    assert [len(one.text or "") for one in entries] == [LONGEST] * 2, "no longer than there is room for"
    single = Panel(
        *(spanning(label, [0, 10], str) for label in "xy"), [Series(n, Look("#000"), [Mark(1, 1)]) for n in long]
    )
    heights = {one.get("y") for one in drawn(single).iter(f"{SVG}text") if (one.text or "").endswith("…")}
    assert len(heights) == len(long), "a line for each"


def test_levels_and_the_front_lie_behind() -> None:
    svg = drawn(panel(Mark(1, 1), levels=[Level(9, "dense")], front=[(1, 1), (5, 4)]))
    dashed = [one for one in svg.iter(f"{SVG}line") if one.get("stroke-dasharray")]
    assert len(dashed) == 1
    assert any("V" in one.get("d", "") and "H" in one.get("d", "") for one in svg.iter(f"{SVG}path"))


def test_every_look_has_a_shape() -> None:
    for look in (*LOOKS, Look("#000", "cross")):
        ElementTree.fromstring(shape(look, 1, 2))
