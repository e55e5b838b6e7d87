"""A smoke run: every arm gets through one batch, or what would fail after hours is said at once."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from espalier.models.architectures import ARCHITECTURES, Architecture
from espalier.models.document import NoOptions
from espalier.models.network import forget_traced
from espalier.search import planners
from espalier.search.datasets import DataPaths
from espalier.search.methods import METHODS
from espalier.search.results import Execution, Smoke
from espalier.search.smoke import smoke
from espalier.search.spec import JobSpec
from espalier.search.validate import validate

SPEC: dict[str, Any] = {
    "target": {"arch": "vgg11", "options": {"width": 0.1}, "dataset": "digits"},
    "budgets": [{"metric": "params", "keep": 0.3}],
    "recipe": {"epochs": 50, "batch_size": 64},
    "seeds": [4, 5, 6],
}
TWO = Execution(threads=2)


def tried(paths: DataPaths, **changes: Any) -> tuple[Smoke, int]:
    """What a smoke run finds, and how many arms the job plans at first."""
    question = validate(JobSpec.model_validate(SPEC | changes), paths).question
    first = planners.create(question).next({})
    return smoke(question, TWO, paths), len({one.arm.id for one in first})


@pytest.mark.parametrize("method", [name for name, kind in METHODS.items() if kind.grain != "block"])
def test_every_method_gets_through_one_batch(method: str, paths: DataPaths) -> None:
    inits = ["scratch", "inherited"] if METHODS[method].is_trained else ["scratch"]
    found, planned = tried(paths, methods=[{"name": method}], inits=inits, baselines=["uniform"])
    assert found.failures == {}
    assert found.arms == planned > 2


@pytest.mark.parametrize(
    "changes",
    [
        {"methods": [{"name": "block_selection"}], "target": {"arch": "resnet20", "dataset": "digits"}},
        {"tickets": {"grain": "weight", "rounds": 2, "rewind_steps": 30, "controls": ["reinit", "one_shot"]}},
        {"inits": ["scratch", "inherited", "untuned", "distilled"], "match": ["epochs", "pipeline"]},
        {"recipe": {"epochs": 50, "batch_size": 64, "small_first": 0.5, "evaluate_every": 7}},
        {"methods": [{"name": "slimming", "options": {"passes": 2}}], "tune_lr": [0.1, 0.01], "inits": ["inherited"]},
        {"seeds": {"from": 2, "most": 9}, "parents": "one"},
    ],
    ids=["blocks", "tickets", "inits", "recipe", "chosen rates", "growing seeds"],
)
def test_every_way_of_training_gets_through_one_batch(changes: dict[str, Any], paths: DataPaths) -> None:
    found, planned = tried(paths, **changes)
    assert found.failures == {}
    assert found.arms >= planned


def test_what_a_planner_asks_for_later_is_tried_too(paths: DataPaths) -> None:
    sampler = {"name": "random", "trials": 3}
    found, planned = tried(paths, sampler=sampler, methods=[], baselines=["uniform"])
    assert found.failures == {}
    assert found.arms > planned


def test_nothing_is_left_of_it(paths: DataPaths) -> None:
    kept = {path for path in paths.cache.rglob("*") if path.is_file()}
    killed = paths.cache / "smoke" / f"{socket.gethostname()}.999999999.x"  # no process has that number
    killed.mkdir(parents=True)
    (killed / "weights").write_bytes(b"of a network")
    tried(paths, methods=[{"name": "taylor"}])
    assert [*(paths.cache / "smoke").iterdir()] == []
    assert {path for path in paths.cache.rglob("*") if path.is_file()} == kept


class Touchy(nn.Module):
    """Does not train if it has fewer channels than it was made with, which tracing and a cut at random cannot know."""

    fails = False

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        found = self.norm(self.conv(x)).relu().mean((2, 3))
        if self.training and Touchy.fails and not x.is_meta and self.conv.weight.shape[0] < 16:
            raise torch.OutOfMemoryError("no memory is left")
        scores: Tensor = self.head(found)
        return scores


def test_what_fails_is_said_and_what_needs_it_is_not_tried(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        ARCHITECTURES, "touchy", Architecture("touchy", "", lambda *_: Touchy(), NoOptions, 10, (1, 32, 32))
    )
    forget_traced()
    question = validate(
        JobSpec.model_validate(
            SPEC
            | {
                "target": {"arch": "touchy", "dataset": "digits"},
                "tune_lr": [0.1, 0.2],
                "inits": ["scratch", "inherited"],
            }
        ),
        paths,
    ).question
    monkeypatch.setattr(Touchy, "fails", True)
    found = smoke(question, TWO, paths)
    forget_traced()
    assert set(found.failures.values()) == {"OutOfMemoryError: no memory is left"}
    assert all("seed 4" in label for label in found.failures)
    assert any(label.startswith("uniform") for label in found.failures)
    assert not any("parent" in label or "dense" in label for label in found.failures)
    monkeypatch.setattr(Touchy, "fails", False)
    assert smoke(question, TWO, paths).failures == {}
