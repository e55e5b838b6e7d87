"""Documents: frozen values, read whatever version they are of, and named by their content."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field, ValidationError

from espalier.models.document import Document, Frozen, content_hash


class Named(Document):
    """Its third version. Before, names were called words, and first there was but one."""

    UPGRADES: ClassVar = {
        1: lambda raw: {"words": [raw.pop("word")], **raw},
        2: lambda raw: {"names": raw.pop("words"), **raw},
    }

    schema_version: int = 3
    names: tuple[str, ...]
    size: Annotated[int, Field(strict=True, ge=1)] = 1


class Pair(Frozen):
    """Two documents."""

    one: Named
    other: Named | None = None


NEWEST = Named(names=("a",))


@pytest.mark.parametrize(
    "raw",
    [
        {"schema_version": 1, "word": "a"},
        {"schema_version": 2, "words": ["a"]},
        {"schema_version": 3, "names": ["a"]},
        {"names": ["a"]},
    ],
)
def test_a_document_of_any_version_is_read_through_all_later_ones(raw: dict[str, Any]) -> None:
    before = dict(raw)
    assert Named.model_validate(raw) == Named.model_validate_json(json.dumps(raw)) == NEWEST
    assert raw == before


def test_an_upgrade_leaves_other_fields_as_they_are() -> None:
    assert Named.read({"schema_version": 1, "word": "a", "size": 5}) == Named(names=("a",), size=5)


def test_a_stored_document_without_a_version_is_of_the_first() -> None:
    assert Named.read({"word": "a"}) == NEWEST
    assert Named.read({"schema_version": 2, "words": ["a"]}) == NEWEST
    assert Named.read(NEWEST.model_dump()) == NEWEST


def test_documents_in_others_are_upgraded_too() -> None:
    raw = {"one": {"schema_version": 1, "word": "a"}, "other": {"schema_version": 2, "words": ["b"]}}
    assert Pair.model_validate(raw) == Pair(one=NEWEST, other=Named(names=("b",)))


@pytest.mark.parametrize("version", [4, 0, -1, "1", True, 1.0, None])
def test_a_version_that_this_release_does_not_know_is_refused_with_words(version: object) -> None:
    words = f"this is schema version {version!r}; this release reads 1 to 3"
    with pytest.raises(ValidationError, match=re.escape(words)):
        Named.model_validate({"schema_version": version, "names": ["a"]})


def test_a_document_that_lacks_what_its_version_had_is_refused_like_any_other() -> None:
    with pytest.raises(ValidationError):
        Named.read({"names": ["a"]})


def test_a_field_of_an_older_version_is_unknown_to_the_newest() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Named.model_validate({"schema_version": 3, "names": ["a"], "word": "a"})


@pytest.mark.parametrize("raw", [3, "names", ["names"], None])
def test_what_is_no_mapping_is_no_document(raw: object) -> None:
    with pytest.raises(ValidationError):
        Named.model_validate(raw)


@pytest.mark.parametrize("update", [{"size": 0}, {"size": "3"}, {"extra": 1}, {"schema_version": 9}])
def test_a_changed_copy_is_validated(update: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NEWEST.model_copy(update=update)


def test_a_changed_copy_has_the_rest_and_leaves_its_original() -> None:
    assert NEWEST.model_copy(update={"size": 7}) == Named(names=("a",), size=7)
    assert NEWEST.model_copy() == NEWEST
    assert NEWEST.size == 1
    pair = Pair(one=NEWEST)
    assert pair.model_copy(update={"other": {"names": ("b",)}}).other == Named(names=("b",))
    assert pair.model_copy(update={"other": None}).one is NEWEST


def test_values_cannot_be_changed_and_numbers_must_be_finite() -> None:
    class Number(Frozen):
        value: float

    with pytest.raises(ValidationError, match="frozen"):
        NEWEST.size = 3
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValidationError, match="finite"):
            Number(value=value)


def test_a_hash_is_of_the_content_whatever_the_order() -> None:
    assert content_hash({"a": 1, "b": {"c": 2, "d": 3}}) == content_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert content_hash({"a": [1, 2]}) != content_hash({"a": [2, 1]})
    assert content_hash({"a": 1}) != content_hash({"a": 1.0})


def test_a_hash_counts_defaults_and_is_that_of_the_plain_data() -> None:
    assert content_hash(NEWEST) == content_hash({"schema_version": 3, "names": ["a"], "size": 1})
    assert content_hash(NEWEST, 8) == content_hash(NEWEST)[:8]
    assert len(content_hash(NEWEST)) == 32


def test_what_is_no_number_has_no_hash() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        content_hash({"a": float("nan")})
