"""The front as a picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from espalier.app.client import tables
from espalier.search.answers.tickets import Spread, TicketAnswer, TicketPoint
from espalier.search.answers.values import DensePoint, Pareto, Point

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which colour-blind readers can tell apart."""
MARKERS = "osD^vP"
STYLE: Any = {"svg.hashsalt": "espalier", "axes.spines.top": False, "axes.spines.right": False}
AXES = {"params": "parameters", "macs": "multiply-adds per image", "latency": "milliseconds per image, one thread"}


def picture(fronts: Sequence[Pareto]) -> bytes:
    """Accuracy against cost, one panel for each front, as SVG. Bars are one standard deviation over seeds."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.8 * len(fronts), 3.8), layout="constrained")
        panels = figure.subplots(1, len(fronts), sharey=True, squeeze=False)[0]
        for axes, front in zip(panels, fronts, strict=True):
            _panel(axes, front)
        panels[0].set_ylabel("test accuracy, %")
        if panels[-1].containers:
            panels[-1].legend(frameon=False, loc="lower right")
        return _svg(figure)


def ticket_picture(answer: TicketAnswer) -> bytes:
    """Final accuracy, accuracy at the early stop, and the early stop, against the share of weights left, as SVG. Bars
    reach from the least to the most over seeds."""
    panels: dict[str, tuple[float, Callable[[TicketPoint], Spread | None]]] = {
        "test accuracy, %": (100, lambda point: point.accuracy),
        "test accuracy at the early stop, %": (100, lambda point: point.early_accuracy),
        "early stop, steps": (1, lambda point: point.early_step),
    }
    known = {label: part for label, part in panels.items() if any(part[1](point) for point in answer.points)}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.8 * max(1, len(known)), 4.1), layout="constrained")
        for axes, (label, (factor, value)) in zip(
            figure.subplots(1, max(1, len(known)), squeeze=False)[0], known.items(), strict=False
        ):
            _ticket_panel(axes, answer, factor, value)
            axes.set_ylabel(label)
        if figure.axes[-1].containers:
            lines = figure.axes[-1].get_legend_handles_labels()
            figure.legend(*lines, frameon=False, loc="outside lower center", ncols=len(lines[1]))
        return _svg(figure)


def _ticket_panel(
    axes: Axes, answer: TicketAnswer, factor: float, value: Callable[[TicketPoint], Spread | None]
) -> None:
    dense = [point for point in answer.points if point.round == 0]
    for index, name in enumerate(dict.fromkeys(point.name for point in answer.points if point.round)):
        own = [point for point in answer.points if point.name == name]
        found = [(100 * point.density, spread) for point in dense + own if (spread := value(point)) is not None]
        axes.errorbar(
            [density for density, _ in found],
            [factor * spread.mean for _, spread in found],
            [
                [factor * (spread.mean - spread.least) for _, spread in found],
                [factor * (spread.most - spread.mean) for _, spread in found],
            ],
            color=COLOURS[index % len(COLOURS)], marker=MARKERS[index % len(MARKERS)], markersize=4, capsize=2,
            linewidth=1.2, label=name,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("weights left, %")
    axes.grid(alpha=0.2)


def _svg(figure: Figure) -> bytes:
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
