"""What running networks takes: all in turn, warmed up, with what each number was measured at."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from torch import nn

from espalier.models.config import ChannelConfig
from espalier.models.network import dense
from espalier.search import latency
from espalier.search.latency import latencies
from espalier.search.machine import processor

SHAPE = (1, 8, 8)
WIDE, NARROW = (dense("lenet300", 10, SHAPE, {"width": width}) for width in (1.0, 0.1))


def test_each_is_measured_for_one_image_and_for_several() -> None:
    found = latencies([WIDE, NARROW], 16, 2, "cpu")
    assert set(found) == {WIDE.id, NARROW.id}
    for measured in found.values():
        assert [(one.images, one.threads, one.machine) for one in measured] == [
            (1, 1, processor()),
            (16, 2, processor()),
        ]
        for one in measured:
            assert 0 < one.quartiles_ms[0] <= one.median_ms <= one.quartiles_ms[1]
            assert latency.ROUNDS[0] <= one.runs <= latency.ROUNDS[1]


def test_threads_are_as_they_were() -> None:
    before = torch.get_num_threads()
    latencies([NARROW], 2, before + 1, "cpu")
    assert torch.get_num_threads() == before


class Sleeping(nn.Module):
    """A network that notes when it runs, and takes as long as it is told."""

    def __init__(self, name: str, seconds: float, ran: list[tuple[str, int, bool]]) -> None:
        super().__init__()
        self.name, self.sleeps, self.ran = name, seconds, ran

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.ran.append((self.name, len(x), self.training))
        time.sleep(self.sleeps)
        return x


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, bool]]:
    """Networks that sleep, the wide one longer; and what ran."""
    found: list[tuple[str, int, bool]] = []

    def build(config: ChannelConfig) -> nn.Module:
        wide = config.id == WIDE.id
        return Sleeping("wide" if wide else "narrow", 0.02 if wide else 0.005, found)

    monkeypatch.setattr(latency, "build", build)
    monkeypatch.setattr(latency, "ROUNDS", (3, 4))
    return found


def test_networks_take_turns_once_each_is_warm(ran: list[Any]) -> None:
    found = latencies([WIDE, NARROW], 2, 1, "cpu")
    alone = [one for one in ran if one[1] == 1]
    assert alone[:6] == [("wide", 1, False)] * 3 + [("narrow", 1, False)] * 3
    assert alone[6:] == [("wide", 1, False), ("narrow", 1, False)] * found[WIDE.id][0].runs
    assert found[WIDE.id][0].median_ms > 20 > found[NARROW.id][0].median_ms > 5


def test_what_memory_has_no_room_for_together_is_measured_one_after_the_other(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "BYTES", 1)
    latencies([WIDE, NARROW], 2, 1, "cpu")
    names = [name for name, images, _ in ran if images == 1]
    assert names == sorted(names, reverse=True)


def test_many_networks_have_less_time_each(ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SECONDS_IN_ALL", 0.0)
    assert {one.runs for measured in latencies([WIDE, NARROW], 2, 1, "cpu").values() for one in measured} == {3}
    del ran


def test_masks_over_single_weights_change_nothing(ran: list[Any]) -> None:
    masked = [WIDE.model_copy(update={"mask": mask}) for mask in ("m", "n")]
    found = latencies([WIDE, *masked], 2, 1, "cpu")
    assert len(found) == 3
    assert found[WIDE.id] == found[masked[0].id] == found[masked[1].id]
    assert len(ran) == sum(latency.WARM_UP + one.runs for one in found[WIDE.id]), "measured once"
