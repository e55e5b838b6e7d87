"""The front as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from espalier.app.client import tables
from espalier.search.answers.values import DensePoint, Pareto, Point

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which colour-blind readers can tell apart."""
MARKERS = "osD^vP"
AXES = {"params": "parameters", "macs": "multiply-adds per image", "latency": "milliseconds per image, one thread"}


def picture(fronts: Sequence[Pareto]) -> bytes:
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


def _panel(axes: Axes, front: Pareto) -> None:
    curves: dict[str, list[Point]] = {}
    for point in front.points:
        if point.arm.role != "reference":
            curves.setdefault(point.arm.name, []).append(point)
    for index, (name, points) in enumerate(sorted(curves.items())):
        axes.errorbar(
            [_cost(point, front) for point in points],
            [100 * point.accuracy.mean for point in points],
            [100 * (point.accuracy.std or 0) for point in points],
            color=COLOURS[index % len(COLOURS)], marker=MARKERS[index % len(MARKERS)], markersize=5, capsize=3,
            linewidth=1.2, label=name,
        )  # fmt: skip
    if front.dense:
        dense = 100 * front.dense.accuracy.mean
        axes.axhline(dense, color="0.6", linestyle="--", linewidth=1)
        axes.annotate(f"dense, {tables.count(_cost(front.dense, front))}", (0.01, dense), (0, 3), color="0.4",
                      fontsize=8, xycoords=("axes fraction", "data"), textcoords="offset points")  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _position: tables.count(value))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(AXES[front.cost])
    axes.grid(alpha=0.2)


def _cost(point: Point | DensePoint, front: Pareto) -> float:
    return {"params": float(point.params), "macs": float(point.macs), "latency": point.latency_ms}[front.cost]
