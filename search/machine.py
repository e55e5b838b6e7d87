"""What this machine and this process are: cores, processor, memory. No torch."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import sys
from pathlib import Path


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> list[str]:
    """GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes; without asking a driver.

    CUDA counts from 0 whatever the devices of a container are called.
    """
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return [one.strip() for one in said.split(",") if one.strip() not in ("", "-1")]
    found = [path for path in Path("/dev").glob("nvidia[0-9]*") if path.name.removeprefix("nvidia").isdecimal()]
    return [str(place) for place in range(len(found))]


def processor() -> str:
    """The model of the processor, as far as the system tells."""
    return _told("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def forget_peak() -> None:
    """Let `peak_memory` look from here on, where the system can be told to."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """The most resident memory that this process has held, in bytes.

    Where it can be asked, since what `getrusage` says begins with the peak of the process that started this one.
    """
    told = _told("/proc/self/status", "VmHWM")
    if told:
        return int(told.split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _told(file: str, key: str) -> str:
    """What a file of the system's says behind a key; nothing where there is no such file."""
    with contextlib.suppress(OSError):
        for line in Path(file).read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""
