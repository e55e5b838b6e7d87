"""Targets: an architecture on a data set."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from espalier.search.spec import Folder, Target, TransferTarget


def test_a_data_set_is_told_in_one_word() -> None:
    assert Target(arch="vgg11", dataset="digits").dataset_name == "digits"
    assert Target(arch="vgg11", dataset=Folder(folder="pets")).dataset_name == "folder:pets"


def test_a_folder_says_how_its_images_are_read() -> None:
    for wrong in ({"size": 4}, {"channels": 2}, {"fit": "stretch"}, {"folder": ""}):
        with pytest.raises(ValidationError):
            Folder.model_validate({"folder": "pets", **wrong})
    assert (Folder(folder="pets").fit, Folder(folder="pets").channels) == ("crop", 3)


def test_where_patterns_are_carried_to_is_a_target_with_methods_of_its_own() -> None:
    there = TransferTarget.model_validate({"arch": "vgg16", "dataset": "digits", "methods": [{"name": "taylor"}]})
    assert there.dataset_name == "digits"
    assert [method.name for method in there.methods] == ["taylor"]
    assert TransferTarget(arch="vgg16", dataset="digits").methods == ()
