"""What a process is told of its machine and of itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from espalier.search.machine import cores, gpus, peak_memory, processor


def test_there_is_a_core_and_a_processor() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
    assert processor()
    assert processor() == processor()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system confines no process")
def test_a_confined_process_counts_the_cores_it_may_use() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nfrom espalier.search.machine import cores; print(cores())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "1"


def test_memory_that_was_held_counts_after_it_is_gone() -> None:
    held = np.ones(2**24)
    size = held.nbytes
    assert peak_memory() >= size
    del held
    assert peak_memory() >= size


def test_a_process_counts_its_own_memory_and_not_that_of_the_one_which_started_it() -> None:
    held = np.ones(2**27)  # 1 GiB, of which the child must not know
    code = (
        "import numpy; from espalier.search.machine import forget_peak, peak_memory\n"
        "before = peak_memory(); x = numpy.ones(2**25); grown = peak_memory() - before\n"
        "del x; forget_peak(); print(before, grown, peak_memory() - before)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, grown, left = map(int, ran.stdout.split())
    assert before < held.nbytes
    assert 0.9 <= grown / 2**28 <= 1.1
    assert left < 2**27  # what it held before is forgotten


def test_gpus_are_those_that_the_environment_lets_see(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, found in (("0", ["0"]), ("3, GPU-1f", ["3", "GPU-1f"]), ("", []), ("-1", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
        assert gpus() == found
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(Path, "glob", lambda *_: map(Path, ("/dev/nvidia10", "/dev/nvidia2", "/dev/nvidia2x")))
    assert gpus() == ["0", "1"], "as CUDA counts them"
