"""A result in brief says of it what comparisons ask, and is read back as it was."""

from __future__ import annotations

import json

import pytest

from espalier.models.config import Cost
from espalier.search.comparable import Brief
from espalier.search.results import ACCURACY, EarlyStop, Metric, Result, Sparsity
from tests.search.helpers import candidate, result

KERNEL = ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), (0.7, 0.8, 0.9))
PLAIN = result(candidate("uniform"), 0.5, 1000)
MASKED = PLAIN.model_copy(
    update={
        "sparsity": Sparsity(
            nonzero=Cost(10, 20), density=0.25, layers={"a.weight": 0.25}, kernels={0: KERNEL, 3: KERNEL}
        ),
        "early": EarlyStop(step=7, holdout={"accuracy": 0.4}, test={"accuracy": 0.3}),
        "metric": Metric(name="error", unit="pixels", higher_is_better=False),
        "holdout": {"error": 2.0},
        "test": {"error": 3.0, "other": 4.0},
    }
)


@pytest.mark.parametrize("one", [PLAIN, MASKED], ids=["plain", "masked"])
def test_it_is_read_back_from_json_as_it_was(one: Result) -> None:
    brief = Brief.of(one)
    assert Brief.read(json.loads(json.dumps(brief.dump()))) == brief


def test_it_says_what_the_result_says() -> None:
    plain, masked = Brief.of(PLAIN), Brief.of(MASKED)
    assert (plain.counted, plain.density, plain.kernels, plain.early) == (PLAIN.cost, 1.0, {}, None)
    assert (plain.metric, plain.reported, plain.chosen_by) == (ACCURACY, PLAIN.reported, PLAIN.chosen_by)
    assert (plain.architecture, plain.widths, plain.mask) == (PLAIN.config.id, PLAIN.config.widths, None)
    assert plain.conditions == PLAIN.made_by.conditions
    assert (masked.counted, masked.density, set(masked.kernels)) == ((10, 20), 0.25, {0, 3})
    assert (masked.metric.sign, masked.reported, masked.chosen_by) == (-1, 3.0, 2.0)
    assert masked.test == {"error": 3.0, "other": 4.0}


def test_it_is_much_smaller_than_the_result() -> None:
    """With a learning curve of some length, as results have one."""
    point = {"step": 100, "epoch": 1, "metrics": {"loss": 1.2345678, "accuracy": 0.87654321}}
    long = PLAIN.model_copy(update={"curve": [point] * 160})
    assert len(json.dumps(Brief.of(long).dump())) < len(long.model_dump_json()) / 10
