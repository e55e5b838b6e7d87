"""timm's networks as architectures."""

from __future__ import annotations

import pytest
import torch

from espalier.models import from_timm
from espalier.models.architectures import architecture, names
from espalier.models.network import Network, build, dense
from espalier.models.self_check import self_check

pytest.importorskip("timm")


def test_every_network_is_found_by_itself_with_the_size_mean_and_deviation_that_are_its_own() -> None:
    assert len(from_timm.names()) > 1000
    assert "timm/mobilenetv2_100" in names()
    entry = architecture("timm/mobilenetv2_100")
    assert (entry.classes, entry.shape, entry.description) == (1000, (3, 224, 224), "timm's mobilenetv2_100")
    assert entry.mean == pytest.approx((0.485, 0.456, 0.406))
    assert architecture("timm/vit_tiny_patch16_224").mean == (0.5, 0.5, 0.5)


def test_networks_without_a_classifier_get_one() -> None:
    assert architecture("timm/vit_small_patch14_dinov2").classes == 1000


def test_the_entry_of_every_network_can_be_asked_for() -> None:
    assert all(architecture(f"timm/{name}").classes > 0 for name in from_timm.names())


@pytest.mark.parametrize(
    ("name", "shape", "share"),
    [
        ("mobilenetv2_100", (3, 32, 32), 0.99),  # a batch norm with its activation in it
        ("densenetblur121d", (3, 32, 32), 0.99),  # blurs, whose modules say how many channels there are
        ("res2net50_26w_4s", (3, 32, 32), 0.99),  # channels in parts of a width that the module keeps
        ("fasternet_t0", (3, 64, 64), 0.99),  # a part of the channels is convolved
        ("tf_efficientnet_b0", (3, 32, 32), 0.99),  # padding that depends on the size
        ("skresnet18", (1, 64, 64), 0.95),  # stacks of branches, and grey images
    ],
)
def test_networks_of_every_kind_are_cut_exactly(name: str, shape: tuple[int, ...], share: float) -> None:
    config = dense(f"timm/{name}", 10, shape)
    assert Network.of(config).coupling.prunable()[0] > share
    self_check(config, masks=2, double=True)


def test_transformers_lose_hidden_channels_at_the_size_that_is_asked_for() -> None:
    config = dense("timm/vit_tiny_patch16_224", 10, (3, 32, 32))
    assert len(config.widths) == 12
    assert build(config).eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    self_check(config, double=True)


def test_where_it_is_not_installed_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from_timm.names.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert from_timm.names() == []
    from_timm.names.cache_clear()
