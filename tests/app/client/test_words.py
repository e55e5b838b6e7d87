"""Names are data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.app.client.words import markdown, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("VGG-16, half as wide: 50 %", "VGG-16, half as wide: 50 %"),
        ("Gärten 🌱", "Gärten 🌱"),
        ("\x1b]0;pwned\x07", "�]0;pwned�"),
        ("a\r\nb\tc", "a��b�c"),
        ("\u202eevil", "�evil"),
    ],
)
def test_a_terminal_is_told_nothing(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_lines_may_stay() -> None:
    assert plain("a\nb\x1b", lines=True) == "a\nb�"


@given(st.text())
def test_what_is_left_is_printable_and_as_long(text: str) -> None:
    assert plain(text).isprintable()
    assert len(plain(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        ("a | b", r"a \| b"),
        ("[x](http://evil) `code` *b* _i_ \\", r"\[x\](http://evil) \`code\` \*b\* \_i\_ \\"),
        ("# no\n# heading", "# no�# heading"),
    ],
)
def test_a_document_shows_it_as_it_is(text: str, written: str) -> None:
    assert markdown(text) == written
