"""Results: what to choose by, what to report, read back as they were written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from espalier.search.results import CurvePoint, Execution, Metric, Result
from tests.search.helpers import candidate, result


def some(**changes: Any) -> Result:
    return result(candidate("uniform"), **changes)


def test_choices_are_by_the_holdout_and_reports_by_the_test_data() -> None:
    one = some(
        metric=Metric(name="error", higher_is_better=False),
        holdout={"accuracy": 0.1, "error": 0.2},
        test={"accuracy": 0.3, "error": 0.4},
    )
    assert (one.chosen_by, one.reported) == (0.2, 0.4)


def test_a_result_is_read_back_as_it_was_written() -> None:
    one = some(
        curve=(CurvePoint(step=None, epoch=0, metrics={"loss": 1.0}), CurvePoint(step=8, epoch=1, metrics={})),
        artifacts={"weights": "f" * 64},
    )
    assert Result.model_validate_json(one.model_dump_json()) == one
    assert Result.read(one.model_dump(mode="json")) == one


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_result(value: float) -> None:
    with pytest.raises(ValidationError):
        some(test={"accuracy": value})
    with pytest.raises(ValidationError):
        CurvePoint(step=0, epoch=0, metrics={"loss": value})


def test_a_result_of_a_later_release_is_refused() -> None:
    with pytest.raises(ValidationError, match="this is schema version 3; this release reads 1 to 2"):
        Result.read(some().model_dump(mode="json") | {"schema_version": 3})


def test_something_must_compute() -> None:
    assert Execution() == Execution(device="cpu", precision="float32", channels_last=False, threads=1)
    with pytest.raises(ValidationError):
        Execution(threads=0)
    with pytest.raises(ValidationError):
        Execution.model_validate({"precision": "float8"})


def test_how_something_is_computed_is_said_in_a_few_words() -> None:
    assert str(Execution()) == "cpu float32, 1 thread"
    execution = Execution(device="cuda", precision="bfloat16", channels_last=True, threads=2)
    assert str(execution) == "cuda bfloat16 channels last, 2 threads"
