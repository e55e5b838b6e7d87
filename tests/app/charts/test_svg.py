"""Elements: what stands in them is escaped, and a picture that stands alone brings its style."""

from __future__ import annotations

from xml.etree import ElementTree

from espalier.app.charts.svg import document, group, tag

NASTY = '<script>alert(1)</script> & "quotes" \''


def test_text_and_attributes_are_escaped() -> None:
    found = ElementTree.fromstring(tag("text", NASTY, aria_label=NASTY))
    assert (found.text, found.get("aria-label"), len(found)) == (NASTY, NASTY, 0)


def test_what_xml_has_no_place_for_is_left_out() -> None:
    assert ElementTree.fromstring(tag("text", "a\x1b\x00b", x="\x07")).text == "a\ufffd\ufffdb"


def test_what_is_an_element_already_is_not() -> None:
    found = ElementTree.fromstring(group([tag("text", "a"), tag("circle", r=1.0)]))
    assert [one.tag for one in found] == ["text", "circle"]


def test_attributes_that_are_none_are_left_out_and_numbers_are_short() -> None:
    assert tag("line", x1=1 / 3, href=None, stroke_width=2) == '<line x1="0.333333" stroke-width="2"/>'


def test_style_stands_only_in_what_stands_alone() -> None:
    """A page's security policy allows none in its markup."""
    alone, within = (document(10, 20, NASTY, [], alone) for alone in (True, False))
    assert "<style>" in alone
    assert "style" not in within
    for one in (alone, within):
        found = ElementTree.fromstring(one)
        assert found.get("viewBox") == "0 0 10 20"
        assert found[0].text == NASTY
