"""Errors say what is wrong, and whose fault it is."""

from __future__ import annotations

import pytest

from espalier.search.errors import DataUnavailable, Diverged, SearchError, SpecError, UnknownName


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UnknownName, match="no fruit 'pear'; there are: apple, plum"):
        raise UnknownName("fruit", "pear", ("apple", "plum"))


def test_a_divergence_says_when_and_what_may_help() -> None:
    words = str(Diverged(3, float("nan")))
    assert words == "training diverged in epoch 3: the loss became nan; a smaller lr may work"


@pytest.mark.parametrize("error", [SpecError("x"), DataUnavailable("x"), UnknownName("x", "y", ())])
def test_what_was_asked_for_wrongly_is_the_users(error: SpecError) -> None:
    assert error.is_users
    assert isinstance(error, (SearchError, ValueError))


def test_a_divergence_is_not_the_users() -> None:
    assert not Diverged(0, 1.0).is_users
    assert not SearchError.is_users
