"""Cross entropy: minus the log of the share that a softmax gives the right class."""

from __future__ import annotations

import math

import pytest
import torch

from espalier.search.tasks.metrics.cross_entropy import MEASURED_CROSS_ENTROPY


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_it_is_minus_the_log_of_the_right_class(kind: torch.dtype) -> None:
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]], dtype=kind)
    found = MEASURED_CROSS_ENTROPY.of_each(logits, torch.tensor([1, 1]))
    assert found.tolist() == pytest.approx([math.log(2), math.log(1 + math.e**2)], rel=1e-6)
    assert not MEASURED_CROSS_ENTROPY.metric.higher_is_better
