"""Cost to an accuracy: when the dense network first passes it, with each recipe at the same number of epochs."""

from __future__ import annotations

import os

from app.client import Client, Json
from app.show import Table, table
from benchmarks.common import Setting

TARGET: Json = {"arch": "vgg16", "options": {"width": 0.5}}
EPOCHS = int(os.environ.get("ESPALIER_BENCH_EPOCHS", "14"))
PASS = (0.80, 0.85, 0.88)


def run(setting: Setting) -> Table:
    """Two jobs on the service at ESPALIER_URL, which trains only what it does not remember."""
    rows, images = [], len(setting.data().train)
    with Client(os.environ.get("ESPALIER_URL", "http://127.0.0.1:8000"), os.environ.get("ESPALIER_TOKEN")) as client:
        for preset in ("quick", "paper"):
            result = _trained(client, setting, preset)
            rows.append((preset, *(_first(result, mark, images) for mark in PASS), f"{100 * result['accuracy']:.2f}"))
    columns = ("recipe", *(f"images (s) to {100 * mark:.0f} %" for mark in PASS), "test % at the end")
    return table(f"VGG-16 at half width, {EPOCHS} epochs, hold-out accuracy after each", columns, rows)


def _trained(client: Client, setting: Setting, preset: str) -> Json:
    """The result of one dense training, from this job or remembered from an earlier one."""
    recipe = {"preset": preset, "epochs": EPOCHS}
    spec = {"name": f"dense, {preset}", "target": TARGET | {"dataset": setting.spec}, "recipe": recipe,
            "methods": [], "budgets": [], "baselines": [], "seeds": [0]}  # fmt: skip
    job = client.submit(spec)["id"]
    for _ in client.events(job):
        pass
    one = client.pages(f"/v1/jobs/{job}/candidates")[0]
    results = client.get(f"/v1/architectures/{one['architecture']}")["results"]
    found: Json = next(result for result in results if result["key"] == one["key"])
    return found


def _first(result: Json, mark: float, images: int) -> str:
    for seen, point in enumerate(result["curve"], start=1):
        if point["holdout"] >= mark:
            return f"{seen * images:,} ({seen / point['epochs'] * result['seconds']:.0f})"
    return "not reached"
