"""Choosing how a network is computed: by what was measured, once, and whatever was left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from espalier.models.config import ChannelConfig
from espalier.models.network import dense
from espalier.search import tasks
from espalier.search.recipe import Recipe
from espalier.search.results import Execution, Pinned
from espalier.search.tasks import Task
from espalier.search.training import execution
from espalier.search.training.execution import choose_execution, step_seconds, threads_of, throughput

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
TASK = tasks.create("classification", Recipe(epochs=1, batch_size=1, lr=0.1))


def rates(**known: float) -> object:
    """A stand-in for timing: images per second by precision, layout and threads, 1 where nothing is said."""

    def measure(config: ChannelConfig, task: Task, batch_size: int, how: Execution) -> float:
        del config, task, batch_size
        words = (how.precision, "last" if how.channels_last else "first", str(how.threads))
        return known.get("_".join(words), 1.0)

    return measure


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"bfloat16_last_2": 100.0, "bfloat16_last_1": 60.0}, ("bfloat16", True, 1)),
        ({"bfloat16_last_2": 100.0, "bfloat16_last_1": 47.0}, ("bfloat16", True, 2)),
        ({"float32_first_2": 100.0, "float32_first_1": 90.0}, ("float32", False, 1)),
        ({"float32_first_2": 100.0, "float32_first_1": 48.0}, ("float32", False, 1)),
        ({"float32_first_2": 97.0, "bfloat16_last_2": 100.0, "float32_first_1": 10.0}, ("float32", False, 2)),
        ({"float32_first_2": 94.0, "bfloat16_last_2": 100.0, "bfloat16_last_1": 10.0}, ("bfloat16", True, 2)),
        ({"float32_last_2": 100.0, "bfloat16_first_2": 99.0, "float32_last_1": 10.0}, ("float32", True, 2)),
    ],
)
def test_the_fastest_is_chosen_and_cores_are_shared_unless_threads_pay(
    known: dict[str, float], expected: tuple[str, bool, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "throughput", rates(**known))
    chosen = choose_execution(CONFIG, TASK, 8, 2, 9, tmp_path)
    assert (chosen.precision, chosen.channels_last, chosen.threads) == expected


def test_threads_between_one_and_all_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"float32_first_8": 200.0, "float32_first_4": 150.0, "float32_first_2": 99.0, "float32_first_1": 40.0}
    monkeypatch.setattr(execution, "throughput", rates(**known))
    assert choose_execution(CONFIG, TASK, 8, 8, 9, tmp_path).threads == 2


@pytest.mark.parametrize("cores", [1, 2, 4, 16])
@pytest.mark.parametrize("most", [1, 2, 3, 5, 7, 16])
def test_networks_on_a_gpu_share_all_cores_and_are_no_more_than_it_serves(most: int, cores: int) -> None:
    threads = threads_of(most, cores)
    side_by_side = cores // threads
    assert 1 <= side_by_side <= most
    assert all(cores // more < side_by_side for more in range(threads + 1, cores + 1)), "none has fewer than it could"
    assert all(cores // fewer > most for fewer in range(1, threads) if cores // fewer != side_by_side)


def test_one_network_alone_gets_all_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "throughput", rates(float32_first_8=2.0, float32_first_1=1.9))
    monkeypatch.setattr(execution, "peak_memory", lambda: 1)  # not that of all tests before
    assert choose_execution(CONFIG, TASK, 8, 8, 1, tmp_path).threads == 8
    assert choose_execution(CONFIG, TASK, 8, 8, 8, tmp_path).threads == 1


def test_no_more_networks_side_by_side_than_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "throughput", rates(float32_first_8=2.0))
    monkeypatch.setattr(execution, "MEMORY_SHARE", 1e-9)
    assert choose_execution(CONFIG, TASK, 8, 8, 9, tmp_path).threads == 8


def test_a_moment_in_which_the_machine_does_something_else_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = []

    def disturbed(config: ChannelConfig, task: Task, batch_size: int, how: Execution) -> float:
        del config, task, batch_size
        timed.append(how)
        return 10.0 if timed.count(how) == 1 and how.threads == 1 else 100.0 if how.threads == 2 else 90.0

    monkeypatch.setattr(execution, "throughput", disturbed)
    monkeypatch.setattr(execution, "peak_memory", lambda: 1)
    assert choose_execution(CONFIG, TASK, 8, 2, 9, tmp_path).threads == 1


def test_the_fastest_step_is_what_a_network_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "step_seconds", lambda *_: [0.9, 0.5, 0.7])
    assert throughput(CONFIG, TASK, 4, Execution()) == 8


def test_a_choice_is_measured_once_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "throughput", rates(bfloat16_last_1=9.0))
    first = choose_execution(CONFIG, TASK, 8, 1, 9, tmp_path)
    monkeypatch.setattr(execution, "throughput", rates(float32_first_1=9.0))
    assert choose_execution(CONFIG, TASK, 8, 1, 9, tmp_path) == first
    assert choose_execution(CONFIG, TASK, 16, 1, 9, tmp_path) != first, "another batch size is another question"


FASTEST = rates(bfloat16_last_2=100.0, bfloat16_last_1=60.0)


@pytest.mark.parametrize(
    ("pinned", "expected"),
    [
        (Pinned(precision="float32"), ("float32", False, 1)),
        (Pinned(channels_last=False), ("float32", False, 1)),
        (Pinned(precision="bfloat16"), ("bfloat16", True, 1)),
        (Pinned(threads=2), ("bfloat16", True, 2)),
        (Pinned(threads=64), ("bfloat16", True, 2)),
    ],
)
def test_what_is_pinned_is_not_left_to_timing(
    pinned: Pinned, expected: tuple[str, bool, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "throughput", FASTEST)
    free = choose_execution(CONFIG, TASK, 8, 2, 9, tmp_path)
    chosen = choose_execution(CONFIG, TASK, 8, 2, 9, tmp_path, pinned)
    assert (chosen.precision, chosen.channels_last, chosen.threads) == expected
    assert choose_execution(CONFIG, TASK, 8, 2, 9, tmp_path) == free, "what was remembered without it stays"


def test_where_all_is_pinned_nothing_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "throughput", None)
    pinned = Pinned(precision="float32", channels_last=False, threads=1)
    chosen = choose_execution(CONFIG, TASK, 8, 2, 9, tmp_path, pinned)
    assert (chosen.precision, chosen.channels_last, chosen.threads) == ("float32", False, 1)


def test_a_choice_cut_short_by_a_kill_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "throughput", rates(bfloat16_last_1=9.0))
    first = choose_execution(CONFIG, TASK, 8, 1, 9, tmp_path)
    (left,) = (tmp_path / "execution").glob("*.json")
    left.write_text(left.read_text()[:10])
    assert choose_execution(CONFIG, TASK, 8, 1, 9, tmp_path) == first


def test_steps_are_timed_for_real() -> None:
    seconds = step_seconds(CONFIG, TASK, 4, Execution(), 2)
    assert len(seconds) == 2
    assert all(one > 0 for one in seconds)
    assert throughput(CONFIG, TASK, 4, Execution(), 1) > 0


def test_timing_leaves_the_number_of_threads_as_it_was() -> None:
    before = torch.get_num_threads()
    step_seconds(CONFIG, TASK, 2, Execution(threads=before + 1), 1)
    assert torch.get_num_threads() == before
