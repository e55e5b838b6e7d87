"""Cost to an accuracy: when the dense network first passes it, with each recipe at the same number of epochs."""

from __future__ import annotations

import os
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.common import Setting
from espalier.app.client.client import Client
from espalier.app.client.demo import service
from espalier.app.schemas import MeasuredView
from espalier.app.settings import load as load_settings
from espalier.app.tables import Table, table

TARGET: dict[str, Any] = {"arch": "vgg16", "options": {"width": 0.5}}
PASS = (0.80, 0.85, 0.88)


def run(setting: Setting) -> Table:
    """Two jobs on a service, which trains only what it does not remember."""
    rows, images = [], len(setting.data().train)
    with tempfile.TemporaryDirectory(prefix="espalier-bench-") as folder, _client(setting, Path(folder)) as client:
        jobs = {preset: client.submit(_spec(setting, preset)).id for preset in ("quick", "paper")}
        for preset, job in jobs.items():
            result = _trained(client, job)
            rows.append((preset, *(_first(result, mark, images) for mark in PASS), f"{100 * result.accuracy:.2f}"))
    columns = ("recipe", *(f"images (s) to {100 * mark:.0f} %" for mark in PASS), "test % at the end")
    return table(f"VGG-16 at half width, {setting.epochs} epochs, hold-out accuracy after each", columns, rows)


def _client(setting: Setting, folder: Path) -> AbstractContextManager[Client]:
    if setting.url:
        return Client(setting.url, os.environ.get("ESPALIER_TOKEN"))
    return service(folder, load_settings().datasets.resolve())


def _spec(setting: Setting, preset: str) -> dict[str, Any]:
    return {
        "name": f"dense, {preset}",
        "target": TARGET | {"dataset": setting.spec},
        "recipe": {"preset": preset, "epochs": setting.epochs},
        "methods": [],
        "budgets": [],
        "baselines": [],
        "seeds": [0],
    }


def _trained(client: Client, job: str) -> MeasuredView:
    """The result of a job's one training."""
    for _ in client.events(job):
        pass
    one = client.candidates(job)[0]
    assert one.architecture
    return next(result for result in client.architecture(one.architecture).results if result.key == one.key)


def _first(result: MeasuredView, mark: float, images: int) -> str:
    for seen, point in enumerate(result.curve, start=1):
        if point.metrics["accuracy"] >= mark:
            return f"{seen * images:,} ({seen / len(result.curve) * result.seconds:.0f})"
    return "not reached"
