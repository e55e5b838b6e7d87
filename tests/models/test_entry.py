"""An entry of the registry: what it says where it is silent."""

from __future__ import annotations

from torch import nn

from espalier.models.architectures import architecture
from espalier.models.entry import Architecture, Scaled


def test_an_entry_is_of_small_pictures_in_ten_classes_with_a_width_unless_it_says_otherwise() -> None:
    entry = Architecture("own", "words", lambda *_: nn.Identity())
    assert (entry.options, entry.classes, entry.shape) == (Scaled, 10, (3, 32, 32))
    assert (entry.output, entry.mean, entry.std) == (None, (), ())
    assert Scaled().width == 1


def test_what_a_recipe_must_change_for_a_network_depends_on_its_options() -> None:
    vgg = architecture("vgg11")
    with_norms, without = (vgg.recipe(vgg.options(batch_norm=norms)) for norms in (True, False))
    assert with_norms == architecture("resnet20").recipe(None) == {}
    assert without == architecture("lenet5").recipe(None) == architecture("conv4").recipe(None) != {}
