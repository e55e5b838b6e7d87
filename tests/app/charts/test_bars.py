"""Channels as bars within the outline of the dense network."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from espalier.app.charts.bars import HEIGHT, Bar, bars

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*groups: Bar, names: tuple[str, ...] = ("a",)) -> ElementTree.Element:
    return ElementTree.fromstring(bars("t", groups, names))


def heights(svg: ElementTree.Element) -> list[list[float]]:
    """Of every group: the outline, then what is kept."""
    groups = [one for one in svg.iter(f"{SVG}g") if one.get("role") == "img"]
    return [[float(part.get("height", "")) for part in one.iter(f"{SVG}rect")] for one in groups]


def test_bars_are_as_high_as_channels_are_many() -> None:
    found = heights(drawn(Bar("a", 0, 64, [64]), Bar("b", 1, 128, [32]), Bar("c", 1, 128, [0])))
    assert [whole > 0 for whole, _ in found] == [True] * 3
    assert [kept / whole for whole, kept in found] == pytest.approx([1, 0.25, 0], rel=1e-4)
    assert found[1][0] == pytest.approx(2 * found[0][0], rel=1e-4)
    assert all(whole <= HEIGHT for whole, _ in found)


def test_two_networks_stand_side_by_side_in_one_outline() -> None:
    svg = drawn(Bar("a", 0, 10, [5, 10]), names=("one", "other"))
    ((whole, first, second),) = heights(svg)
    assert (first / whole, second / whole) == pytest.approx((0.5, 1), rel=1e-4)
    (group,) = [one for one in svg.iter(f"{SVG}g") if one.get("role") == "img"]
    assert group.get("aria-label") == "a: one keeps 5, other keeps 10 of 10"
    assert {"one", "other"} <= {one.text for one in svg.iter(f"{SVG}text")}


@pytest.mark.parametrize("count", [0, 1, 500])
def test_any_number_of_groups_is_a_picture(count: int) -> None:
    svg = drawn(*(Bar(f"g{n}", n // 50, 8, [4]) for n in range(count)))
    assert len(heights(svg)) == count
    assert float(svg.get("width", "")) < 2000


def test_a_stage_is_named_where_it_begins() -> None:
    svg = drawn(Bar("a", 0, 8, [4]), Bar("b", 0, 8, [4]), Bar("c", 2, 8, [4]))
    written = [one.text for one in svg.iter(f"{SVG}text")]
    assert (written.count("stage"), written[-3:-1]) == (1, ["2", "stage"])
