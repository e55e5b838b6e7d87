"""Numbers of channels: what is computed of them and stays one, and what keeps the channels."""

# ruff: noqa: ARG002, ARG005

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espalier.models.channels.counts import Attribute, Count, Listed, fits, fixed, plain
from espalier.models.channels.labels import Labels


class Noted:
    """What became of counts."""

    def __init__(self) -> None:
        self.labels = Labels()
        self.ended = False
        self.uses: list[str] = []
        self.numbers: list[float] = []

    def spilled(self, count: Count, use: str) -> None:
        """Note it."""
        self.uses.append(use)

    def let_out(self, count: Count, number: float) -> None:
        """Note it."""
        self.numbers.append(number)

    def count(self, number: int) -> Count:
        """So many new channels."""
        return Count.of(number, Listed(self.labels.new(number)), self)


@pytest.fixture
def noted() -> Noted:
    return Noted()


EXPRESSIONS: list[Callable[[Any, Any], Any]] = [
    lambda c, d: c + d, lambda c, d: c - d, lambda c, d: 3 * c, lambda c, d: c * 2 + 5, lambda c, d: 7 - c,
    lambda c, d: -c, lambda c, d: (c * 4) // 2, lambda c, d: c // 4, lambda c, d: (c + d) * 3 - d,
    lambda c, d: 1 + c // 2 + 3, lambda c, d: c * 0 + 1, lambda c, d: c - c,
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_computed_is_the_number_and_stays_a_count(noted: Noted, expression: Any) -> None:
    c, d = noted.count(8), noted.count(12)
    found = expression(c, d)
    assert plain(found) == expression(8, 12)
    assert not noted.uses


@given(cut=st.sampled_from([4, 8]), other=st.integers(1, 12))
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_count_is_the_same_expression_in_every_cut(expression: Any, cut: int, other: int) -> None:
    """Its terms and its constant give what the code would compute with other numbers of channels."""
    noted = Noted()
    c, d = noted.count(8), noted.count(12)
    found = expression(c, d)
    if not isinstance(found, Count):
        assert found == expression(cut, other)
        return
    left = {id(c.terms[0][0]): cut, id(d.terms[0][0]): other}
    whole = {id(c.terms[0][0]): 8, id(d.terms[0][0]): 12}
    change = sum(factor * (left[id(source)] - whole[id(source)]) for source, factor in found.terms)
    assert plain(found) + change == expression(cut, other)


def test_parts_and_multiples_of_one_count_are_told_apart_by_plain_numbers(noted: Noted) -> None:
    c = noted.count(8)
    ratio = (c * 6) // c
    assert type(ratio) is int
    assert ratio == 6
    assert not noted.uses
    assert (c + 1) // c == 1
    assert noted.uses == ["is divided", "is divided"]


@pytest.mark.parametrize(
    "use",
    [
        lambda c: c % 3, lambda c: c // 3, lambda c: c**2, lambda c: c * c, lambda c: 1 / c, lambda c: c * 0.5,
        math.sqrt, str, lambda c: f"{c:>3}", hash, lambda c: {8: 1}[c], lambda c: c in {3, 4}, lambda c: c.bit_length(),
        lambda c: c.real, lambda c: c == 8, lambda c: c > 4, lambda c: c in (8, 9), lambda c: 100 // c, lambda c: c & 1,
        lambda c: c < 9, lambda c: max(c, 3), lambda c: divmod(c, 2), lambda c: abs(c), lambda c: c >> 1,
    ],
)  # fmt: skip
def test_whatever_else_is_done_keeps_the_channels(noted: Noted, use: Callable[[Any], Any]) -> None:
    found, c = use(8), noted.count(8)
    assert use(c) == found
    assert noted.uses


@pytest.mark.parametrize(
    "use", [lambda c: c > 0, bool, lambda c: c != 0, lambda c: c >= 1, lambda c: c < 1, lambda c: c > 0]
)
def test_that_there_is_a_channel_is_true_in_every_cut(noted: Noted, use: Callable[[Any], Any]) -> None:
    assert use(noted.count(8)) == use(8)
    assert not noted.uses


def test_counts_that_are_equal_are_made_equal_in_every_cut(noted: Noted) -> None:
    c, d = noted.count(8), noted.count(8)
    assert c == d
    assert not noted.uses
    assert [noted.labels.find(label) for label in d.labels] == c.labels
    assert c != noted.count(9)
    assert len(noted.uses) == 2


def test_a_count_compared_with_itself_decides_nothing(noted: Noted) -> None:
    c = noted.count(8)
    assert c + 3 > c
    assert not noted.uses


def test_equal_parts_that_the_code_asks_for_are_cut_alike(noted: Noted) -> None:
    c = noted.count(8)
    assert c % 2 == 0
    assert not noted.uses
    assert [noted.labels.find(label) for label in c.labels] == [0, 1, 2, 3] * 2
    assert (c * 6) % 3 == 0
    assert not noted.uses


@pytest.mark.parametrize(
    "make", [int, lambda c: int(c / 2), lambda c: round(c), lambda c: math.floor(c), lambda c: c * 6 / 3]
)
def test_a_plain_number_that_is_made_of_one_is_noted(noted: Noted, make: Callable[[Any], Any]) -> None:
    found = make(noted.count(8))
    assert type(found) in (int, float)
    assert noted.numbers
    assert not noted.uses


def test_what_python_asks_nobody_about_gives_the_number(noted: Noted) -> None:
    """The probe sees what becomes of it."""
    c = noted.count(8)
    assert operator.index(c) == 8
    assert [*range(c)] == [*range(8)]
    assert not noted.uses


def test_a_count_that_another_trace_left_is_a_plain_number(noted: Noted) -> None:
    other = Noted()
    kept, count = other.count(8), noted.count(8)
    other.ended = True
    assert kept == 8
    assert kept * 1.5 == 12
    assert plain(kept + count) == plain(count + kept) == 16
    assert (count + kept).terms == (kept + count).terms == count.terms
    assert not other.uses


def test_a_count_fits_channels_that_are_as_many_in_every_cut(noted: Noted) -> None:
    c = noted.count(8)
    labels = c.labels
    assert fits(noted.labels, c, labels)
    assert fits(noted.labels, c * 3, [label for label in labels for _ in range(3)])
    assert not fits(noted.labels, c + 1, [*labels, *noted.labels.new(1)])
    kept = noted.labels.new(1)
    noted.labels.keep(kept, "why")
    assert fits(noted.labels, c + 1, [*labels, *kept]), "what is always there is a constant"
    assert not fits(noted.labels, c, labels[:4])


def test_channels_that_are_as_many_are_coupled_where_a_count_says_so(noted: Noted) -> None:
    c, other = noted.count(8), noted.labels.new(8)
    assert fits(noted.labels, c, other)
    assert [noted.labels.find(label) for label in other] == c.labels
    half = noted.labels.new(4)
    assert fits(noted.labels, c // 2, half)
    assert [noted.labels.find(label) for label in c.labels] == [noted.labels.find(label) for label in half] * 2


def test_counts_of_the_same_channels_are_equal_only_if_they_always_are(noted: Noted) -> None:
    c, d = noted.count(4), noted.count(4)
    assert fits(noted.labels, c + d, d + c)
    assert not fits(noted.labels, c + d, 2 * c)
    assert (c // 2).terms == ((c.terms[0][0], Fraction(1, 2)),)


def attribute(noted: Noted, number: int) -> tuple[Attribute, Count]:
    """A number that a module keeps."""
    source = Attribute("block", "width", number)
    return source, Count.of(number, source, noted)


def test_a_number_that_a_module_keeps_counts_the_channels_that_it_is_first_used_for(noted: Noted) -> None:
    source, number = attribute(noted, 4)
    labels = noted.labels.new(8)
    assert source.open
    assert fits(noted.labels, number, labels[:4])
    assert source.labels == labels[:4]
    assert fits(noted.labels, number, labels[4:]), "what it is used for next is as many, and coupled"
    assert [noted.labels.find(label) for label in labels] == labels[:4] * 2


def test_half_of_it_and_the_rest_of_it_say_what_it_is(noted: Noted) -> None:
    source, number = attribute(noted, 8)
    labels = noted.labels.new(8)
    assert fits(noted.labels, number // 2, labels[:4])
    assert source.labels == labels[:4] * 2
    (part, few), (whole, all_of_them) = attribute(noted, 3), attribute(noted, 8)
    assert fits(noted.labels, few, labels[:3])
    assert fits(noted.labels, all_of_them - few, labels[3:])
    assert sorted(whole.labels or ()) == labels
    assert part.labels == labels[:3]


@pytest.mark.parametrize(
    "use",
    [lambda n: n + 0.5, lambda n: n > 1, lambda n: n == 4, lambda n: n**2, lambda n: 3 % n, lambda n: 8 * (2 % n)],
)
def test_a_number_that_is_used_in_any_other_way_is_fixed(noted: Noted, use: Callable[[Any], Any]) -> None:
    source, number = attribute(noted, 4)
    use(number)
    assert source.fixed or noted.numbers
    if source.fixed:
        assert not fits(noted.labels, number, noted.labels.new(4))


def test_a_number_that_divides_a_count_is_fixed_and_the_count_is_not(noted: Noted) -> None:
    source, number = attribute(noted, 2)
    count = noted.count(8)
    half = count // number
    assert plain(half) == 4
    assert (source.fixed, noted.uses) == (True, [])
    other, again = attribute(noted, 2)
    assert plain(again * count) == 16
    assert other.fixed


def test_a_number_that_is_compared_with_a_count_is_that_count(noted: Noted) -> None:
    source, number = attribute(noted, 8)
    count = noted.count(8)
    assert count == number
    assert source.labels == count.labels
    assert not noted.uses


def test_a_number_of_other_channels_does_not_fit(noted: Noted) -> None:
    _, number = attribute(noted, 4)
    assert not fits(noted.labels, number, noted.labels.new(5))
    assert not fits(noted.labels, number + 1, noted.labels.new(5))
    assert fixed(number) == 4
    assert fixed(7) == 7
