"""A choice from a registry: known, checked, and written the one way that it is meant."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import Field

from espalier.models.document import Frozen
from espalier.search.errors import SpecError, UnknownName
from espalier.search.options import chosen, plain
from espalier.search.spec import Choice


class Strength(Frozen):
    """Options of the one thing in the registry."""

    strength: float = Field(default=1.0, gt=0)
    often: int = 3


class Thing:
    """Something to choose."""

    Options: ClassVar[type[Frozen]] = Strength


THINGS = {"thing": Thing}


def test_a_choice_is_a_class_and_its_options() -> None:
    assert chosen("thing", Choice(name="thing"), THINGS) == (Thing, Strength())
    assert chosen("thing", Choice(name="thing", options={"often": 2}), THINGS) == (Thing, Strength(often=2))


def test_an_unknown_name_lists_those_there_are() -> None:
    for choose in (chosen, plain):
        with pytest.raises(UnknownName, match="no sort of thing 'other'; there are: thing"):
            choose("sort of thing", Choice(name="other"), THINGS)  # type: ignore[operator]


def test_wrong_options_are_named_with_those_there_are() -> None:
    with pytest.raises(
        SpecError, match=r"options of 'thing': strength: .*greater than 0.*; colour: .*\(there are: strength, often\)"
    ):
        chosen("thing", Choice(name="thing", options={"strength": -1, "colour": "red"}), THINGS)


def test_plain_options_leave_out_what_says_nothing() -> None:
    meant = plain("thing", Choice(name="thing", options={"strength": 1, "often": 5}), THINGS)
    assert meant == Choice(name="thing", options={"often": 5})
    assert plain("thing", meant, THINGS) == meant
    assert plain("thing", Choice(name="thing", options={"strength": 2}), THINGS).options == {"strength": 2.0}
