"""What is wrong with a network is said in one line, and is no fault of the machine's."""

from __future__ import annotations

import inspect

import pytest

from espalier.models import errors
from espalier.models.errors import ModelError, UnknownArchitecture, first_line

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_a_value_error_and_the_users(kind: type[Exception]) -> None:
    assert issubclass(kind, ModelError)
    assert issubclass(kind, ValueError)
    assert kind.is_users  # type: ignore[attr-defined]


def test_the_first_page_names_every_error() -> None:
    assert errors.__doc__ is not None
    assert all(kind.__name__ in errors.__doc__ for kind in KINDS)


def test_an_unknown_architecture_lists_those_there_are() -> None:
    words = str(UnknownArchitecture("vgg99", ["vgg11", "vgg13", "timm/a", "timm/b"]))
    assert words == "no architecture 'vgg99'; there are: vgg11, vgg13, timm/… (2); did you mean vgg13 or vgg11?"
    assert str(UnknownArchitecture("x", ["vgg11"])) == "no architecture 'x'; there are: vgg11"


@pytest.mark.parametrize(
    ("text", "line"), [("one", "one"), ("one\ntwo", "one"), ("\n  one \n two", "one "), ("", ""), ("\n", "")]
)
def test_the_first_line_of_an_error(text: str, line: str) -> None:
    assert first_line(RuntimeError(text)) == line
