"""An entry of the registry: what it says where it is silent."""

from __future__ import annotations

from torch import nn

from espalier.models.entry import Architecture, Scaled


def test_an_entry_is_of_small_pictures_in_ten_classes_with_a_width_unless_it_says_otherwise() -> None:
    entry = Architecture("own", "words", lambda *_: nn.Identity())
    assert (entry.options, entry.classes, entry.shape) == (Scaled, 10, (3, 32, 32))
    assert (entry.output, entry.mean, entry.std) == (None, (), ())
    assert Scaled().width == 1
