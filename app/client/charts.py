"""The front as a picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from espalier.app.client import tables
from espalier.search.answers.tickets import Spread, TicketAnswer, TicketPoint
from espalier.search.answers.values import DensePoint, Pareto, Point

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, which colour-blind readers can tell apart."""
MARKERS = "osD^vPX"
STYLE: Any = {"svg.hashsalt": "espalier", "axes.spines.top": False, "axes.spines.right": False}
AXES = {"params": "parameters", "macs": "multiply-adds per image", "latency": "milliseconds per image, one thread"}
MOST_CURVES = 8
"""In one panel. A job with more that are trained in several ways has a panel for each way."""


def picture(fronts: Sequence[Pareto]) -> bytes:
    """Accuracy against cost, one panel for each front, as SVG. Bars are one standard deviation over seeds.

    Where that would be too many curves: against the cost that most budgets are of, one panel for each way of training.
    """
    points = _compared(fronts[0])
    if len({_way(point) for point in points}) > 1 and len({point.arm.name for point in points}) > MOST_CURVES:
        return _by_way(next((front for front in fronts if front.cost == _usual_cost(front)), fronts[0]))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.8 * len(fronts), 3.8), layout="constrained")
        panels = figure.subplots(1, len(fronts), sharey=True, squeeze=False)[0]
        for axes, front in zip(panels, fronts, strict=True):
            _panel(axes, front, _curves(_compared(front), lambda point: point.arm.name))
        panels[0].set_ylabel("test accuracy, %")
        if panels[-1].containers:
            panels[-1].legend(frameon=False, loc="lower right")
        return _svg(figure)


def _by_way(front: Pareto) -> bytes:
    """One panel for each way of training, in which every curve is what found the widths."""
    points = _compared(front)
    subjects = sorted({point.subject for point in points})
    with mpl.rc_context(STYLE):
        ways = [way for way in tables.WAYS if way in map(_way, points)]
        figure = Figure(figsize=(2.9 * len(ways), 3.8), layout="constrained")
        panels = figure.subplots(1, len(ways), sharex=True, sharey=True, squeeze=False)[0]
        for axes, way in zip(panels, ways, strict=True):
            own = [point for point in points if _way(point) == way]
            _panel(axes, front, dict.fromkeys(subjects, ()) | _curves(own, lambda point: point.subject))
            axes.set_title(tables.WAYS[way], fontsize=10)
        panels[0].set_ylabel("test accuracy, %")
        lines = {label: line for axes in panels for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        shown = {subject: lines[subject] for subject in subjects if subject in lines}
        figure.legend(shown.values(), shown.keys(), frameon=False, loc="outside lower center", ncols=4)
        return _svg(figure)


def _compared(front: Pareto) -> list[Point]:
    return [point for point in front.points if point.arm.role != "reference"]


def _way(point: Point) -> tuple[str, str]:
    return point.init, point.match


def _usual_cost(front: Pareto) -> str:
    """What most budgets are of."""
    metrics = [point.budget.metric for point in _compared(front) if point.budget is not None]
    return max(metrics, key=metrics.count, default=front.cost)


def _curves(points: Sequence[Point], name: Callable[[Point], str]) -> dict[str, Sequence[Point]]:
    """By name, in the order of names."""
    curves: dict[str, list[Point]] = {}
    for point in points:
        curves.setdefault(name(point), []).append(point)
    return dict(sorted(curves.items()))


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


def _panel(axes: Axes, front: Pareto, curves: Mapping[str, Sequence[Point]]) -> None:
    for index, (name, points) in enumerate(curves.items()):
        if not points:  # its colour is another panel's
            continue
        axes.errorbar(
            [_cost(point, front) for point in points],
            [100 * point.accuracy.mean for point in points],
            [100 * (point.accuracy.std or 0) for point in points],
            color=COLOURS[index % len(COLOURS)], marker=MARKERS[index % len(MARKERS)], markersize=5, capsize=3,
            linewidth=1.2, label=name,
        )  # fmt: skip
    if front.dense:
        _published(axes, front, front.dense)
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


def _published(axes: Axes, front: Pareto, dense: DensePoint) -> None:
    """What papers report of this network, as if their dense network were this one: a layer behind the curves."""
    shares = [one.params if front.cost == "params" else one.macs for one in front.published]
    known = [(share, one.change) for share, one in zip(shares, front.published, strict=True) if share is not None]
    if known and front.cost != "latency":
        axes.scatter(
            [share * _cost(dense, front) for share, _ in known],
            [100 * (dense.accuracy.mean + change) for _, change in known],
            color="0.7", marker="x", s=18, linewidth=1, zorder=0, label="in papers, from their own dense network",
        )  # fmt: skip


def _cost(point: Point | DensePoint, front: Pareto) -> float:
    return {"params": float(point.params), "macs": float(point.macs), "latency": point.latency_ms}[front.cost]
