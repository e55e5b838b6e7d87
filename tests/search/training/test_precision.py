"""Where and in which numbers a network is computed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.search.results import Execution
from espalier.search.training.precision import autocast, laid_out, memory_format, place

LAST = Execution(channels_last=True)


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_forward_pass_is_in_the_precision_asked_for(precision: str, dtype: torch.dtype) -> None:
    layer = nn.Linear(2, 2)
    with autocast(Execution.model_validate({"precision": precision})):
        assert layer(torch.zeros(1, 2)).dtype == dtype
    assert layer.weight.dtype == torch.float32


def test_networks_and_images_lie_in_one_layout() -> None:
    conv = nn.Conv2d(3, 4, 3)
    assert place(conv, LAST) is conv
    assert conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert laid_out(torch.zeros(2, 3, 8, 8), LAST).is_contiguous(memory_format=torch.channels_last)
    assert laid_out(torch.zeros(2, 8, 8, 3).permute(0, 3, 1, 2), Execution()).is_contiguous()
    assert (memory_format(LAST), memory_format(Execution())) == (torch.channels_last, torch.contiguous_format)


def test_placing_keeps_the_parameters_that_others_hold() -> None:
    """A regularizer knows a network's scales before it is placed."""
    conv = nn.Conv2d(3, 4, 3)
    held = conv.weight
    assert place(conv, LAST).get_parameter("weight") is held


def test_what_is_no_image_has_no_layout() -> None:
    words = torch.arange(6).view(2, 3).T
    assert torch.equal(laid_out(words, LAST), words)
    assert laid_out(words, LAST).is_contiguous()
