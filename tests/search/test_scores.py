"""Scores: the highest stay, and what was computed once is not computed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from espalier.models.config import ChannelGroup
from espalier.search.results import Effort
from espalier.search.scores import Scores, Scoring, controlled, drawn, remembered, top
from espalier.search.spec import MethodSpec

GROUPS = (ChannelGroup("a", 10, 1, 0, ()), ChannelGroup("b", 4, 1, 1, ()))


def test_ten_equal_scores_still_keep_the_number_asked_for() -> None:
    group = ChannelGroup("a", 10, 1, 0, ())
    for count in range(1, 11):
        assert int(top((group,), {"a": torch.ones(10)}, {"a": count}).kept["a"].sum()) == count


def test_the_highest_scores_stay_and_the_first_of_equal_ones() -> None:
    scores = {"a": torch.arange(10.0), "b": torch.tensor([1.0, 2.0, 2.0, 2.0])}
    kept = top(GROUPS, scores, {"a": 3, "b": 2}).kept
    assert kept["a"].nonzero().flatten().tolist() == [7, 8, 9]
    assert kept["b"].nonzero().flatten().tolist() == [1, 2]


def test_a_group_without_scores_keeps_its_number_and_the_same_every_time() -> None:
    masks = [top(GROUPS, {"a": torch.ones(10)}, {"a": 3, "b": 2}) for _ in range(2)]
    assert masks[0].widths == {"a": 3, "b": 2}
    assert torch.equal(masks[0].kept["b"], masks[1].kept["b"])


SCORES = {"a": torch.arange(5.0), "b": torch.arange(10.0, 13.0)}


def test_a_controls_scores_are_the_same_numbers_on_other_channels() -> None:
    turned = controlled(SCORES, "reverse", 0)
    assert {name: values.tolist() for name, values in turned.items()} == {
        "a": [0, -1, -2, -3, -4],
        "b": [-10, -11, -12],
    }
    within, across = controlled(SCORES, "shuffled", 3), controlled(SCORES, "shuffled_across", 3)
    assert {name: sorted(values.tolist()) for name, values in within.items()} == {
        name: values.tolist() for name, values in SCORES.items()
    }
    assert sorted(torch.cat([*across.values()]).tolist()) == torch.cat([*SCORES.values()]).tolist()
    assert set(across["a"].tolist()) != set(SCORES["a"].tolist())
    assert all(len(across[name]) == len(SCORES[name]) for name in SCORES)
    for control in ("shuffled", "shuffled_across"):
        one, again, other = (torch.cat([*controlled(SCORES, control, draw).values()]) for draw in (3, 3, 4))  # type: ignore[arg-type]
        assert torch.equal(one, again)
        assert not torch.equal(one, other)


def test_without_scores_and_without_a_control_nothing_changes() -> None:
    assert controlled({}, "shuffled_across", 0) == {}
    assert controlled(SCORES, None, 0) is controlled(SCORES, "no_penalty", 0) is SCORES


def test_drawn_masks_have_the_widths_and_follow_the_draw() -> None:
    wide = (ChannelGroup("a", 200, 1, 0, ()), ChannelGroup("b", 200, 1, 0, ()))
    masks = [drawn(wide, {"a": 100, "b": 50}, draw) for draw in (0, 0, 1)]
    assert all(mask.widths == {"a": 100, "b": 50} for mask in masks)
    assert torch.equal(masks[0].kept["a"], masks[1].kept["a"])
    assert not torch.equal(masks[0].kept["a"], masks[2].kept["a"])
    assert not torch.equal(masks[0].kept["a"], masks[0].kept["b"])


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """Weights, as far as anybody here looks at them."""
    (tmp_path / "parent").write_bytes(b"weights")
    return tmp_path / "parent"


def counting(calls: list[int]) -> Callable[[], Scores]:
    def compute() -> Scores:
        calls.append(len(calls))
        return {"a": torch.rand(10, dtype=torch.float64), "b": torch.full((4,), float(len(calls)))}

    return compute


def same(one: Scores, other: Scores) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


SLIMMING = MethodSpec(name="slimming")


def kept_of(cache: Path, method: MethodSpec, parent: Path, compute: Callable[[], Scores]) -> Scores:
    return remembered(cache, method, parent, lambda: Scoring(compute(), Effort(images=3))).scores


def test_scores_are_computed_once(tmp_path: Path, parent: Path) -> None:
    calls: list[int] = []
    first, again = (kept_of(tmp_path / "cache", SLIMMING, parent, counting(calls)) for _ in range(2))
    assert len(calls) == 1
    assert same(first, again)
    assert again["a"].dtype == torch.float64


def test_the_same_weights_elsewhere_are_the_same_parent(tmp_path: Path, parent: Path) -> None:
    calls: list[int] = []
    kept_of(tmp_path / "cache", SLIMMING, parent, counting(calls))
    kept_of(tmp_path / "cache", SLIMMING, parent.rename(tmp_path / "moved"), counting(calls))
    assert len(calls) == 1


def test_another_parent_or_other_options_are_another_question(tmp_path: Path, parent: Path) -> None:
    calls: list[int] = []
    kept_of(tmp_path / "cache", SLIMMING, parent, counting(calls))
    kept_of(tmp_path / "cache", MethodSpec(name="slimming", options={"strength": 2}), parent, counting(calls))
    assert len(calls) == 2
    parent.write_bytes(b"other weights")
    kept_of(tmp_path / "cache", SLIMMING, parent, counting(calls))
    assert len(calls) == 3


@pytest.mark.parametrize("left", [0, 4, 30, -3])
def test_a_damaged_file_is_computed_again(tmp_path: Path, parent: Path, left: int) -> None:
    calls: list[int] = []
    kept_of(tmp_path / "cache", SLIMMING, parent, counting(calls))
    (path,) = (tmp_path / "cache").rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:left])
    found = kept_of(tmp_path / "cache", SLIMMING, parent, counting(calls))
    assert len(calls) == 2
    assert same(found, kept_of(tmp_path / "cache", SLIMMING, parent, counting(calls)))
    assert len(calls) == 2


def test_a_method_that_fails_leaves_nothing_behind(tmp_path: Path, parent: Path) -> None:
    def fail() -> Scores:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        kept_of(tmp_path / "cache", SLIMMING, parent, fail)
    calls: list[int] = []
    kept_of(tmp_path / "cache", SLIMMING, parent, counting(calls))
    assert len(calls) == 1


def test_scores_that_are_parts_of_larger_tensors_can_be_kept(tmp_path: Path, parent: Path) -> None:
    table = torch.arange(12.0).view(4, 3)
    kept = kept_of(tmp_path / "cache", SLIMMING, parent, lambda: {"a": table[:, 0], "b": table[:, 0]})
    again = kept_of(tmp_path / "cache", SLIMMING, parent, dict)
    assert same(kept, again)
    assert again["a"].tolist() == [0, 3, 6, 9]


def test_groups_may_share_one_tensor_of_scores(tmp_path: Path, parent: Path) -> None:
    equal = torch.ones(4)
    kept = kept_of(tmp_path / "cache", SLIMMING, parent, lambda: {"a": equal, "b": equal})
    assert kept["a"].tolist() == kept["b"].tolist() == [1, 1, 1, 1]


def test_scores_come_back_without_a_gradient_the_first_time_as_later(tmp_path: Path, parent: Path) -> None:
    weight = torch.nn.Parameter(torch.ones(4))
    found = [kept_of(tmp_path / "cache", SLIMMING, parent, lambda: {"a": weight * 2}) for _ in range(2)]
    assert [one["a"].requires_grad for one in found] == [False, False]


def test_what_they_took_is_kept_with_them(tmp_path: Path, parent: Path) -> None:
    effort = Effort(images=3, macs=5, seconds=0.25)
    found = [
        remembered(tmp_path / "cache", SLIMMING, parent, lambda: Scoring({"a": torch.ones(2)}, effort)).effort
        for _ in range(2)
    ]
    assert found == [effort, effort]
