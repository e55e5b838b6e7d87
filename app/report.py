"""A job written down as a page: the question, the front as a picture and a table, the verdict, how it was made."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from espalier.app import show
from espalier.app.client import Client, Json

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which colour-blind readers can tell apart."""
MARKERS = "osD^vP"
AXES = {"params": "parameters", "macs": "multiply-adds per image", "latency": "milliseconds per image, one thread"}
COSTS = ("params", "macs")


def write(client: Client, job_id: str, page: Path) -> None:
    """Write the page, and its picture and spec into a folder beside it of the same name. Raises ClientError."""
    job = client.get(f"/v1/jobs/{job_id}")
    fronts = [client.get(f"/v1/jobs/{job_id}/pareto", cost=cost) for cost in COSTS]
    answer = client.get(f"/v1/jobs/{job_id}/verdict")
    trainings = client.pages(f"/v1/jobs/{job_id}/candidates")
    spec = json.dumps(_set(job["spec"]), indent=2)
    beside = page.with_suffix("")
    beside.mkdir(parents=True, exist_ok=True)
    (beside / "front.svg").write_bytes(picture(fronts))
    (beside / "spec.json").write_text(spec + "\n")
    page.write_text("\n\n".join(_sections(job, beside.name, spec, fronts, answer, trainings)) + "\n")


def _set(value: Any) -> Any:
    """A spec without what was left to the preset."""
    if isinstance(value, dict):
        return {name: _set(inner) for name, inner in value.items() if inner is not None}
    return [_set(inner) for inner in value] if isinstance(value, list) else value


def picture(fronts: Sequence[Json]) -> bytes:
    """Accuracy against cost, one panel for each front, as SVG. Bars are one standard deviation over seeds."""
    with mpl.rc_context({"svg.hashsalt": "espalier", "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(4.8 * len(fronts), 3.8), layout="constrained")
        panels = figure.subplots(1, len(fronts), sharey=True, squeeze=False)[0]
        for axes, front in zip(panels, fronts, strict=True):
            _panel(axes, front)
        panels[0].set_ylabel("test accuracy, %")
        if panels[-1].containers:
            panels[-1].legend(frameon=False, loc="lower right")
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()


def _panel(axes: Axes, front: Json) -> None:
    cost = "latency_ms" if front["cost"] == "latency" else front["cost"]

    def arm(point: Json) -> tuple[str, str]:
        return point["method"] or point["origin"], point["init"]

    for index, ((name, init), members) in enumerate(groupby(sorted(front["points"], key=arm), key=arm)):
        if name == "dense":
            continue
        points = sorted(members, key=lambda point: point[cost])
        axes.errorbar(
            [point[cost] for point in points],
            [100 * point["accuracy"]["mean"] for point in points],
            [100 * (point["accuracy"]["std"] or 0) for point in points],
            color=COLOURS[index % len(COLOURS)], marker=MARKERS[index % len(MARKERS)], markersize=5, capsize=3,
            linewidth=1.2, label=name + ("" if init == "scratch" else f", {init}"),
        )  # fmt: skip
    if front["dense"]:
        dense = 100 * front["dense"]["accuracy"]["mean"]
        axes.axhline(dense, color="0.6", linestyle="--", linewidth=1)
        axes.annotate(f"dense, {show.count(front['dense'][cost])}", (0.01, dense), (0, 3), color="0.4", fontsize=8,
                      xycoords=("axes fraction", "data"), textcoords="offset points")  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _position: show.count(value))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(AXES[front["cost"]])
    axes.grid(alpha=0.2)


def _made_by(made: Json) -> str:
    """The versions and machine settings behind a number, in words."""
    execution = made["execution"]
    layout = "channels last" if execution["channels_last"] else "contiguous"
    return (
        f"Espalier {made['espalier']}, torch {made['torch']}, {execution['device']}, {execution['precision']}, "
        f"{layout}, threads for each network: {execution['threads']}"
    )


def _sections(
    job: Json, beside: str, spec: str, fronts: Sequence[Json], answer: Json, trainings: Sequence[Json]
) -> Iterator[str]:
    yield f"# {job['name'] or job['id']}"
    yield answer["summary"]
    yield f"![Accuracy against cost]({beside}/front.svg)"
    yield "Bars are one standard deviation over seeds; `ms` is the latency of one image on one thread."
    for found in (show.pareto(*fronts), show.verdict(answer), show.efficiency(answer)):
        if found.rows:
            yield f"## {found.title}"
            yield found.markdown()
    yield "## How it was made"
    yield _duration(job, trainings)
    yield "\n".join(sorted({f"- {_made_by(one['made_by'])}" for one in trainings if one["made_by"]}))
    yield f"`espalier submit {beside}/spec.json --wait` runs it again. What was submitted:"
    yield f"```json\n{spec}\n```"


def _duration(job: Json, trainings: Sequence[Json]) -> str:
    ended = [one for one in trainings if one["seconds"]]
    spent = sum(one["seconds"] for one in ended)
    words = f"{len(ended)} of {len(trainings)} networks were trained, {_minutes(spent)} of training in all"
    if not (job["started_at"] and job["finished_at"]):
        return f"{words}; the job has not ended."
    start, end = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    clock = (end - start).total_seconds()
    return f"{words}, in {_minutes(clock)} by the clock ({start:%Y-%m-%d})."


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
