"""Seeds: a list, or as many as it takes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from espalier.search.spec import JobSpec

LEAST: dict[str, Any] = {"target": {"arch": "vgg11", "dataset": "digits"}}


@pytest.mark.parametrize(
    ("least", "most", "looks"), [(3, 10, (3, 6, 10)), (3, 6, (3, 6)), (2, 64, (2, 4, 8, 16, 32, 64)), (5, 6, (5, 6))]
)
def test_seeds_may_be_added_until_it_is_decided(least: int, most: int, looks: tuple[int, ...]) -> None:
    asked = {"from": least, "most": most, "until": "decided"}
    spec = JobSpec.model_validate(LEAST | {"seeds": asked})
    assert (spec.looks, spec.all_seeds) == (looks, tuple(range(most)))
    assert spec.model_dump(mode="json")["seeds"] == asked
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert spec.model_copy(update={"name": "x"}).seeds == spec.seeds


@pytest.mark.parametrize(
    ("seeds", "place"),
    [([0, "x"], ("seeds", "a list of seeds", 1)), ({"from": 1, "most": 3}, ("seeds", "a range of seeds", "from"))],
)
def test_what_is_wrong_with_seeds_is_said_of_what_was_meant(seeds: object, place: tuple[object, ...]) -> None:
    with pytest.raises(ValidationError) as found:
        JobSpec.model_validate(LEAST | {"seeds": seeds})
    assert [error["loc"] for error in found.value.errors()] == [place]
