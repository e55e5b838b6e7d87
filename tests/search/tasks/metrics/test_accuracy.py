"""Accuracy by hand."""

from __future__ import annotations

import torch

from espalier.search.results import ACCURACY
from espalier.search.tasks.metrics.accuracy import MEASURED_ACCURACY


def test_the_largest_logit_is_the_answer() -> None:
    logits = torch.tensor([[0.1, 0.9], [0.9, 0.1], [-2.0, -1.0]])
    assert MEASURED_ACCURACY.of_each(logits, torch.tensor([1, 1, 1])).tolist() == [True, False, True]
    assert MEASURED_ACCURACY.metric == ACCURACY


def test_it_is_a_fraction_of_which_more_is_better() -> None:
    assert (ACCURACY.unit, ACCURACY.higher_is_better) == ("fraction", True)
