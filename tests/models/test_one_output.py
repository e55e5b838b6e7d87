"""Networks that give several things are trained on one of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from espalier.models.architectures import ARCHITECTURES, Architecture
from espalier.models.document import NoOptions
from espalier.models.errors import ArchitectureError, TraceError
from espalier.models.network import build, dense, forget_traced
from espalier.models.self_check import self_check
from tests.models.networks import conv


class Several(nn.Module):
    """Gives what it makes, and features."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.body, self.head, self.kind = conv(3, 8), nn.Linear(8, 2), kind

    def forward(self, x: Tensor) -> Any:
        features = torch.relu(self.body(x))
        logits = self.head(features.mean((2, 3)))
        return {"features": features, "out": logits} if self.kind is dict else self.kind((features, logits))


def register(monkeypatch: pytest.MonkeyPatch, kind: Any, output: str | int | None) -> None:
    entry = Architecture("own", "", lambda *_: Several(kind), NoOptions, 2, (3, 8, 8), output=output)
    monkeypatch.setitem(ARCHITECTURES, "own", entry)
    forget_traced()


@pytest.mark.parametrize(("kind", "output"), [(dict, "out"), (tuple, 1), (list, 1), (tuple, -1)])
def test_one_of_several_outputs_is_trained_on(monkeypatch: pytest.MonkeyPatch, kind: Any, output: str | int) -> None:
    register(monkeypatch, kind, output)
    config = dense("own")
    assert config.widths == {"net.body": 8}
    assert build(config)(torch.zeros(3, 3, 8, 8)).shape == (3, 2)
    self_check(config, masks=2, double=True)


@pytest.mark.parametrize(
    ("kind", "output", "words"),
    [
        (dict, "logits", "Several gives outputs 'features', 'out', and no output 'logits'"),
        (tuple, 2, "Several gives 2 outputs, and no output 2"),
        (tuple, "out", "Several gives 2 outputs, and no output 'out'"),
    ],
)
def test_an_output_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, kind: Any, output: str | int, words: str
) -> None:
    register(monkeypatch, kind, output)
    with pytest.raises(ArchitectureError, match=words):
        dense("own")


def test_who_gives_several_is_told_how_to_say_which(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, dict, None)
    with pytest.raises(
        TraceError, match=r"must return one tensor, got dict; .*Architecture\(…, output=name or place\)"
    ):
        dense("own")
