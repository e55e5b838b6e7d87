"""Ways in which weights begin."""

from __future__ import annotations

from typing import get_args

from espalier.search.spec import INHERITING, Init, Ranking


def test_those_that_begin_with_the_parents_last_weights_are_ways_to_begin() -> None:
    assert set(get_args(Init)) > INHERITING == {"inherited", "untuned"}
    assert "reverse" in get_args(Ranking)
