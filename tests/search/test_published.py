"""What papers report, and of which networks."""

from __future__ import annotations

import csv

import pytest

from espalier.models.architectures import architecture
from espalier.search.answers.front import pareto
from espalier.search.published import FILE, published
from espalier.search.spec import Folder, Target
from tests.search.helpers import outcome


def of(arch: str, dataset: str | Folder = "cifar10", **options: float) -> int:
    return len(published(Target(arch=arch, dataset=dataset, options=options)))


def test_every_result_is_of_a_network_that_there_is_and_can_be_believed() -> None:
    with FILE.open(newline="") as file:
        networks = {(row["arch"], row["dataset"]) for row in csv.DictReader(file)}
    assert len(networks) == 10
    for arch, dataset in networks:
        assert architecture(arch).name == arch
        found = published(Target(arch=arch, dataset=dataset))
        assert found
        for one in found:
            assert {one.params, one.macs} != {None}
            assert all(0.01 < share <= 1 for share in (one.params, one.macs) if share is not None)
            assert abs(one.change) < 0.1
            assert one.paper[-4:].isdigit()


def test_a_result_is_as_its_paper_states_it() -> None:
    """Li et al. 2017, table 1: ResNet-56-B, error 6.96 -> 6.94 %, 27.6 % fewer multiply-adds, 13.7 % fewer weights."""
    found = published(Target(arch="resnet56", dataset="cifar10"))
    own = [one for one in found if one.paper == "Li 2017" and one.macs is not None and one.macs < 0.8]
    assert [(one.change, one.macs, one.params) for one in own] == [
        (pytest.approx(0.0002), pytest.approx(0.724, abs=0.005), pytest.approx(0.863, abs=0.005))
    ]


@pytest.mark.parametrize("folder", ["cifar10", "CIFAR-10", "pictures/cifar_10", "cifar10/"])
@pytest.mark.parametrize("size", [None, 32])
def test_an_image_folder_goes_by_its_own_name(folder: str, size: int | None) -> None:
    assert of("resnet56", Folder(folder=folder, size=size)) == of("resnet56") > 0


def test_images_of_another_size_are_other_data() -> None:
    assert of("resnet56", Folder(folder="cifar10", size=64)) == 0
    assert of("torchvision/resnet50", Folder(folder="imagenet", size=224)) > 0
    assert of("torchvision/resnet50", Folder(folder="imagenet", size=64)) == 0


def test_another_network_or_other_data_have_none() -> None:
    assert of("resnet56", "cifar100") == of("vgg11") == of("resnet56", width=0.5) == 0


def test_a_front_comes_with_them() -> None:
    reported = Target(arch="resnet20", dataset="cifar10")
    assert len(pareto([outcome("dense", target=reported)], "params").published) == of("resnet20")
    assert pareto([outcome("dense")], "params").published == pareto([], "params").published == ()
