"""Run benchmarks by name, or all of them: `python -m benchmarks [NAME…] [--dataset folder:cifar10]`."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from rich.console import Console

from benchmarks import (
    crowd,
    demo,
    executors,
    intervals,
    load,
    memory,
    methods,
    operators,
    overhead,
    pages,
    paint,
    processes,
    recipes,
    recorded,
    scales,
    surgery,
    training,
    verdicts,
)
from benchmarks.common import Setting
from espalier.app.tables import Table

BENCHMARKS: dict[str, Callable[[Setting], Table]] = {
    "training": training.run,
    "operators": operators.run,
    "processes": processes.run,
    "recorded": recorded.run,
    "memory": memory.run,
    "surgery": surgery.run,
    "methods": methods.run,
    "scales": scales.run,
    "verdicts": verdicts.run,
    "intervals": intervals.run,
    "overhead": overhead.run,
    "executors": executors.run,
    "pages": pages.run,
    "paint": paint.run,
    "load": load.run,
    "queue": crowd.queue,
    "streams": crowd.streams,
    "demo": demo.run,
    "recipes": recipes.run,
}
"""In this order; `recipes` takes the better part of an hour."""


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"some of: {', '.join(BENCHMARKS)}")] = None,
    dataset: Annotated[str, typer.Option(help="images to train on: cifar10, or folder:NAME")] = "cifar10",
    epochs: Annotated[int, typer.Option(help="of `recipes`", min=1)] = 18,
    url: Annotated[str, typer.Option(help="of a service that `recipes` uses instead of its own")] = "",
) -> None:
    """Measure, and print tables. Wants a machine that does nothing else."""
    chosen = names or [*BENCHMARKS]
    unknown = set(chosen) - set(BENCHMARKS)
    if unknown:
        raise typer.BadParameter(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    console = Console(width=120)
    console.print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}", highlight=False)
    for name in chosen:
        started = time.monotonic()
        console.print(BENCHMARKS[name](Setting(dataset, epochs, url)))
        console.print(f"({name} took {time.monotonic() - started:.0f} s)\n", highlight=False)


if __name__ == "__main__":
    typer.run(main)
