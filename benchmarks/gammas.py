"""Where slimming leaves the batch-norm scales: `python -m benchmarks.gammas OUTPUT.svg JOB…` for jobs stored here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import matplotlib as mpl
import numpy as np
import safetensors.torch
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from espalier.app.settings import load as load_settings
from espalier.models.network import Network
from espalier.storage.candidates import candidate_of, result_of, rows
from espalier.storage.database import Database
from espalier.storage.store import Store


def main(output: Path, jobs: Annotated[list[str], typer.Argument(help="ids of jobs with a slimming parent")]) -> None:
    """One panel a job: how many scales lie where, by stage of the network."""
    settings = load_settings()
    database, store = Database(settings.url), Store(settings.artifacts)
    figure = Figure(figsize=(4.8 * len(jobs), 3.4), layout="constrained")
    panels = figure.subplots(1, len(jobs), sharey=True, squeeze=False)[0]
    for axes, job in zip(panels, jobs, strict=True):
        _panel(axes, *_parent(database, store, job))
    panels[0].set_ylabel("channels")
    panels[-1].legend(frameon=False, title="stage")
    with mpl.rc_context({"svg.hashsalt": "espalier"}):
        figure.savefig(output, metadata={"Date": None})
    database.close()


def _parent(database: Database, store: Store, job: str) -> tuple[int, dict[int, NDArray[np.float32]]]:
    """Epochs of the sparse training, and |gamma| of every channel by stage."""
    with database.session() as session:
        row = next(row for row in rows(session, job) if row.role == "parent" and row.result)
        candidate, result = candidate_of(row), result_of(row)
        assert result is not None
        state = safetensors.torch.load_file(store.path(result.artifacts["weights"]))
    stages: dict[int, list[NDArray[np.float32]]] = {}
    for group in Network.of(result.config).groups:
        for part in group.slices:
            if part.role == "scale":
                stages.setdefault(group.stage, []).append(state[part.tensor].abs().numpy())
    return candidate.recipe.epochs, {stage: np.concatenate(values) for stage, values in sorted(stages.items())}


def _panel(axes: Axes, epochs: int, stages: dict[int, NDArray[np.float32]]) -> None:
    edges = np.linspace(0, max(float(values.max()) for values in stages.values()), 41)
    colours = mpl.colormaps["viridis"](np.linspace(0.1, 0.9, len(stages)))
    axes.hist([*stages.values()], bins=[*edges], stacked=True, color=[*colours], label=[str(stage) for stage in stages])
    axes.set_title(f"{epochs} epochs")
    axes.set_xlabel("batch-norm scale after sparse training")
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    typer.run(main)
