"""How numbers are drawn: by generator, with the papers' deviations."""

from __future__ import annotations

import ast
import inspect

import torch

from espalier.models.layers import draw
from espalier.models.layers.draw import draw_normal, glorot, zero


def test_a_generator_gives_the_same_numbers_in_the_same_order() -> None:
    one, other, more = (torch.empty(4, 5, dtype=torch.float64) for _ in range(3))
    generator = torch.Generator().manual_seed(3)
    draw_normal(one, 2.0, torch.Generator().manual_seed(3))
    draw_normal(other, 2.0, generator)
    draw_normal(more, 2.0, generator)
    assert torch.equal(one, other)
    assert not torch.equal(other, more)


def test_a_tensor_in_any_layout_is_filled_whole() -> None:
    plain, turned = torch.empty(4, 5), torch.empty(5, 4).t()
    for tensor in (plain, turned):
        draw_normal(tensor, 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(plain, turned)


def test_glorot_counts_the_kernel() -> None:
    assert glorot(torch.empty(4, 4)) == 0.5
    assert glorot(torch.empty(4, 4, 2, 2)) == 0.25


def test_only_what_there_is_becomes_zero() -> None:
    tensor = torch.ones(3)
    zero(None, tensor)
    assert not tensor.any()


def test_the_source_of_this_module_needs_torch_alone() -> None:
    tree = ast.parse(inspect.getsource(draw))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert modules == {"__future__", "math", "typing", "torch"}
