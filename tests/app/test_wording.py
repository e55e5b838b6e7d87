"""Numbers, as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from espalier.app.wording import count, percent
from espalier.search.answers.values import Sample


@pytest.mark.parametrize(
    ("number", "words"), [(7, "7"), (999, "999"), (110_069, "110.1 k"), (78_744_064, "78.74 M"), (2e9, "2 G")]
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
