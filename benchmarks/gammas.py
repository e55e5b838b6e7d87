"""Where slimming leaves the batch-norm scales: `python -m benchmarks.gammas OUTPUT.svg JOB…` for jobs stored here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import matplotlib as mpl
import numpy as np
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.sparse_parents import SparseParent, sparse_parents


def main(output: Path, jobs: Annotated[list[str], typer.Argument(help="ids of jobs with a slimming parent")]) -> None:
    """One panel a job: how many scales of its first parent lie where, by stage of the network."""
    figure = Figure(figsize=(4.8 * len(jobs), 3.4), layout="constrained")
    panels = figure.subplots(1, len(jobs), sharey=True, squeeze=False)[0]
    for axes, job in zip(panels, jobs, strict=True):
        _panel(axes, next(sparse_parents(job)))
    panels[0].set_ylabel("channels")
    panels[-1].legend(frameon=False, title="stage")
    with mpl.rc_context({"svg.hashsalt": "espalier"}):
        figure.savefig(output, metadata={"Date": None})


def _panel(axes: Axes, parent: SparseParent) -> None:
    stages: dict[int, list[NDArray[np.float64]]] = {}
    for group, values in parent.scales:
        stages.setdefault(group.stage, []).append(values)
    scales = [np.concatenate(stages[stage]) for stage in sorted(stages)]
    edges = np.linspace(0, max(float(values.max()) for values in scales), 41)
    colours = mpl.colormaps["viridis"](np.linspace(0.1, 0.9, len(stages)))
    axes.hist(scales, bins=[*edges], stacked=True, color=[*colours], label=[str(stage) for stage in sorted(stages)])
    axes.set_title(f"{parent.candidate.recipe.epochs} epochs")
    axes.set_xlabel("batch-norm scale after sparse training")
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    typer.run(main)
