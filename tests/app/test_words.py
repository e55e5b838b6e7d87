"""Names are data, and numbers are short."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.app.words import amount_of, count, duration, json_or_word, markdown, percent, plain, strict_json
from espalier.search.answers.values import Sample


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


@pytest.mark.parametrize(
    ("number", "words"),
    [(7, "7"), (999, "999"), (110_069, "110.1 k"), (78_744_064, "78.74 M"), (2e9, "2 G"), (1.582e13, "15.82 T")],
)
def test_counts_in_words(number: Any, words: str) -> None:
    assert count(number) == words


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (Sample(mean=0.9876, std=None, n=1), "98.76"),
        (Sample(mean=0.5, std=0.0123, n=3), "50.00 ± 1.23"),
        (Sample(mean=1.0, std=0.0, n=2), "100.00 ± 0.00"),
    ],
)
def test_a_mean_in_per_cent(sample: Sample, words: str) -> None:
    assert percent(sample) == words


@pytest.mark.parametrize(
    ("text", "amount"),
    [("100k", 1e5), ("2.5 M", 2.5e6), (" 4 ", 4), (".02M", 2e4), ("1G", 1e9), ("1T", 1e12), ("2P", 2e15), ("٣", 3),
     ("many", None), ("-1", None), ("1e9", None), ("", None), ("k", None)],
)  # fmt: skip
def test_amounts_as_people_write_them(text: str, amount: float | None) -> None:
    assert amount_of(text) == amount
    if amount:
        assert amount_of(count(amount)) == amount


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "unknown"),
        (0.4, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5000, "83 min"),
        (5400, "1 h 30 min"),
        (4e5, "111 h 07 min"),
    ],
)
def test_lengths_of_time_in_words(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("0.5", 0.5), ("true", True), ("null", None), ("[4, 0]", [4, 0]), ("max", "max"), (" max ", "max"),
     ("NaN", "NaN"), ("Infinity", "Infinity"), ("1e999", "1e999"), ("[" * 100_000, "[" * 100_000)],
)  # fmt: skip
def test_what_is_no_json_is_a_word(text: str, value: object) -> None:
    assert json_or_word(text) == value


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "max", ""])
def test_numbers_without_end_are_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"no number|Expecting"):
        strict_json(text)
