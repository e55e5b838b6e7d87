"""Which results are drawn, and how."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from espalier.app.charts.axes import Axis, spanning
from espalier.app.charts.plot import COLOURS, GREY, Level, Look, Mark, Panel, Series, draw, reach
from espalier.app.charts.svg import Markup
from espalier.app.words import WAYS, count, percent
from espalier.search.answers.patterns import Pattern
from espalier.search.answers.tickets import Spread, TicketAnswer, TicketPoint
from espalier.search.answers.values import CostName, Group, Outcomes, Pareto, Point, by_arm, cost_of
from espalier.search.results import CurvePoint

SHAPES = ("circle", "square", "diamond", "up", "plus", "down", "bar")
LOOKS = tuple(
    Look(colour, SHAPES[(place + turn) % len(SHAPES)])
    for turn in range(len(SHAPES))
    for place, colour in enumerate(COLOURS)
)
"""Every colour with every shape; the first seven differ in both."""
USUAL = ("slimming", "uniform", "capped", "random")
"""Arms of most jobs, and what the default compares."""
PUBLISHED = Look(GREY, "cross")
AXES: Mapping[CostName, str] = {
    "params": "parameters",
    "macs": "multiply-adds per image",
    "latency": "milliseconds per image, one thread",
}
ACCURACY = "test accuracy, %"
MOST_CURVES = len(COLOURS)
"""In one panel. A job with more that are trained in several ways has a panel for each way."""
MOST_LEARNING, MOST_EPOCHS = 2 * len(COLOURS), 50
"""Learning curves in one picture, and points of each."""

Links = Callable[[str], str]
"""The address of an architecture, by its id."""


def front(fronts: Sequence[Pareto], alone: bool = True, links: Links | None = None) -> Markup:
    """Accuracy against cost, one panel for each front. Bars are one standard deviation over seeds; what is ringed is on
    the front, by the hold-out.

    Where that would be too many curves: against the cost that most budgets are of, one panel for each way of training.
    """
    points = _compared(fronts[0])
    ways = {_way(point) for point in points}
    if len(ways) > 1 and len({point.arm.name for point in points}) > MOST_CURVES:
        usual = _usual_cost(fronts[0])
        one = next((found for found in fronts if found.cost == usual), fronts[0])
        order = [way for way in WAYS if way in ways] + sorted(ways - WAYS.keys())
        own = [(WAYS.get(way, way[0]), [point for point in _compared(one) if _way(point) == way]) for way in order]
        heights = _heights([one])
        panels = [_panel(one, some, heights, lambda point: point.subject, links, title) for title, some in own]
    else:
        heights = _heights(fronts)
        panels = [_panel(one, _compared(one), heights, lambda point: point.arm.name, links) for one in fronts]
    return draw("Accuracy against cost", panels, alone)


def compared(fronts: Mapping[str, Pareto], alone: bool = True, links: Links | None = None) -> Markup:
    """The same of several jobs, by their names, over one pair of axes; of papers' results nothing."""
    cost = next(iter(fronts.values())).cost
    curves: dict[str, list[Mark]] = {}
    dense: dict[Level, list[str]] = {}
    for job, front in fronts.items():
        own = _curves(_compared(front), cost, lambda point: point.arm.name, links)
        curves |= {f"{job}: {name}": some for name, some in own.items()}
        for level in _levels(front):
            dense.setdefault(level, []).append(job)
    levels = [replace(level, says=f"{', '.join(jobs)}: {level.says}") for level, jobs in dense.items()]
    marks = [mark for some in curves.values() for mark in some]
    looks = looks_of(set(curves))
    panel = Panel(
        spanning(AXES[cost], [mark.x for mark in marks], _written(cost), is_log=True),
        spanning(ACCURACY, [*reach(marks), *(level.y for level in levels)], "{:g}".format),
        [Series(name, looks[name], some) for name, some in curves.items()],
        levels,
    )
    return draw("Accuracy against cost, several jobs", [panel], alone)


def learners(outcomes: Outcomes) -> list[Group]:
    """The arms that `learning` draws: those that learn, parents apart; the first, where there are many."""
    return [group for group in by_arm(outcomes) if group.candidate.init != "untuned"][:MOST_LEARNING]


def learning(
    outcomes: Outcomes,
    learned: Mapping[str, Sequence[CurvePoint]],
    alone: bool = True,
    running: Mapping[str, Sequence[tuple[int, float]]] | None = None,
) -> Markup:
    """The task's first metric on the hold-out, epoch by epoch: of every arm the mean over its seeds, whose curves are
    in `learned` by their keys; and of each network that still trains, by what it is called, what was heard of it:
    epochs from 0, and shares. Some of the epochs, where there are many."""
    curves: dict[str, list[Mark]] = {}
    for name, told in (running or {}).items():
        curves[f"{name}, now"] = _learning(f"{name}, now", told)
    for group in learners(outcomes):
        seeds = [learned.get(candidate.key, ()) for candidate, _ in group.outcomes]
        curves[group.arm.label] = _learning(group.arm.label, _by_epoch(seeds, group.results[0].metric.name))
    curves = {name: some for name, some in curves.items() if some}
    marks = [mark for some in curves.values() for mark in some]
    looks = looks_of(set(curves))
    panel = Panel(
        spanning("epoch", [mark.x for mark in marks], "{:g}".format, is_whole=True),
        spanning("hold-out accuracy, %", [mark.y for mark in marks], "{:g}".format),
        [Series(name, looks[name], some) for name, some in sorted(curves.items())],
    )
    return draw("Learning curves", [panel], alone)


def _learning(name: str, found: Sequence[tuple[int, float]]) -> list[Mark]:
    """Some of the epochs, of which the last says what it is."""
    step = max(1, -(-len(found) // MOST_EPOCHS))
    marks = [Mark(epoch + 1, 100 * share) for epoch, share in found[::-1][::step][::-1]]
    if not marks:
        return []
    says = f"{name}, epoch {found[-1][0] + 1}: {marks[-1].y:.2f} %"
    return [*marks[:-1], replace(marks[-1], says=says)]


def _by_epoch(curves: Sequence[Sequence[CurvePoint]], metric: str) -> list[tuple[int, float]]:
    """Epochs at which any seed was looked at, from 0, and the mean over those that were."""
    seen: dict[int, dict[int, float]] = {}
    for seed, curve in enumerate(curves):
        for point in curve:
            if metric in point.metrics:
                seen.setdefault(point.epoch, {})[seed] = point.metrics[metric]
    return [(epoch, fmean(seen[epoch].values())) for epoch in sorted(seen)]


def _panel(
    front: Pareto,
    points: Sequence[Point],
    heights: Axis,
    name: Callable[[Point], str],
    links: Links | None,
    title: str = "",
) -> Panel:
    looks = looks_of({name(point) for point in _compared(front)})
    curves = _curves(points, front.cost, name, links)
    reported = [*_reported(front)]
    marks = [mark for some in (reported, *curves.values()) for mark in some]
    return Panel(
        spanning(AXES[front.cost], [mark.x for mark in marks], _written(front.cost), is_log=True),
        heights,
        [
            Series("in papers, from their own dense network", PUBLISHED, reported, is_joined=False),
            *(Series(curve, looks[curve], some) for curve, some in sorted(curves.items())),
        ],
        _levels(front),
        title,
        [] if title else [(mark.x, mark.y) for mark in marks if mark.is_ringed],  # one way alone has no front
    )


def _heights(fronts: Sequence[Pareto]) -> Axis:
    """One axis of accuracy for all."""
    marks = [mark for front in fronts for mark in _reported(front)]
    marks += [_mark(point, fronts[0].cost, None) for point in _compared(fronts[0])]
    levels = [level.y for front in fronts for level in _levels(front)]
    return spanning(ACCURACY, [*reach(marks), *levels], "{:g}".format)


def _curves(
    points: Sequence[Point], cost: CostName, name: Callable[[Point], str], links: Links | None
) -> dict[str, list[Mark]]:
    """Points by name, cheapest first."""
    curves: dict[str, list[Mark]] = {}
    for point in sorted(points, key=lambda one: cost_of(one, cost)):
        curves.setdefault(name(point), []).append(_mark(point, cost, links))
    return curves


def _levels(front: Pareto) -> list[Level]:
    """The dense network's accuracy, and its cost in words."""
    if front.dense is None:
        return []
    dense = _written(front.cost)(cost_of(front.dense, front.cost))
    return [Level(100 * front.dense.accuracy.mean, f"dense, {dense}")]


def looks_of(names: set[str]) -> dict[str, Look]:
    """A look for each series: of usual ones the same in every picture that has any, of others what is left."""
    known = USUAL if names.intersection(USUAL) else ()
    ordered = enumerate((*known, *sorted(names.difference(known))))
    return {name: LOOKS[place % len(LOOKS)] for place, name in ordered if name in names}


def _mark(point: Point, cost: CostName, links: Links | None) -> Mark:
    mean, spread = 100 * point.accuracy.mean, 100 * (point.accuracy.std or 0)
    return Mark(
        cost_of(point, cost), mean, mean - spread, mean + spread,
        f"{point.arm.label}: {percent(point.accuracy)} % over {point.accuracy.n} seeds, {count(point.params)} "
        f"parameters, {count(point.macs)} multiply-adds" + (", on the front" if point.on_front else ""),
        links(point.architecture) if links else None, point.on_front,
    )  # fmt: skip


def _reported(front: Pareto) -> Iterator[Mark]:
    """Results of papers, as if their dense network were this one. None has a latency."""
    if front.dense is None or front.cost == "latency":
        return
    for one in front.published:
        share = one.params if front.cost == "params" else one.macs
        if share is not None:
            says = f"{one.paper}, {one.method}: {100 * one.change:+.2f} points at {100 * share:.3g} %"
            accuracy = front.dense.accuracy.mean + one.change
            yield Mark(share * cost_of(front.dense, front.cost), 100 * accuracy, says=says)


def _compared(front: Pareto) -> list[Point]:
    return [point for point in front.points if point.arm.role != "reference"]


def _way(point: Point) -> tuple[str, str]:
    return point.init, point.match


def _usual_cost(front: Pareto) -> str:
    """What most budgets are of."""
    metrics = [point.budget.metric for point in _compared(front) if point.budget is not None]
    return max(metrics, key=metrics.count, default=front.cost)


def _written(cost: CostName) -> Callable[[float], str]:
    return "{:.3g}".format if cost == "latency" else count


def amount(value: float, cost: CostName) -> str:
    """A cost in words."""
    return f"{_written(cost)(value)} {AXES[cost]}"


def tickets(answer: TicketAnswer, alone: bool = True) -> Markup:
    """Final accuracy, accuracy at the early stop, and the early stop, against the share of weights left. Bars reach
    from the least to the most over seeds."""
    measures: dict[str, tuple[float, Callable[[TicketPoint], Spread | None]]] = {
        ACCURACY: (100, lambda point: point.accuracy),
        "test accuracy at the early stop, %": (100, lambda point: point.early_accuracy),
        "early stop, steps": (1, lambda point: point.early_step),
    }
    known = {label: one for label, one in measures.items() if any(one[1](point) for point in answer.points)}
    panels = [_of_tickets(answer, label, *one) for label, one in (known or {ACCURACY: measures[ACCURACY]}).items()]
    return draw("Tickets against the share of weights left", panels, alone)


def _of_tickets(
    answer: TicketAnswer, label: str, factor: float, value: Callable[[TicketPoint], Spread | None]
) -> Panel:
    dense = [point for point in answer.points if point.round == 0]
    curves: dict[str, list[Mark]] = {}
    for name in dict.fromkeys(point.name for point in answer.points if point.round):
        own = dense + [point for point in answer.points if point.name == name]
        curves[name] = [
            Mark(
                100 * point.density, factor * found.mean, factor * found.least, factor * found.most,
                f"{name}, round {point.round}: {factor * found.mean:.4g}, {label}, "
                f"{100 * point.density:.3g} % of the weights left",
            )
            for point in own if (found := value(point)) is not None
        ]  # fmt: skip
    marks = [mark for some in curves.values() for mark in some]
    looks = dict(zip(curves, itertools.cycle(LOOKS), strict=False))
    return Panel(
        spanning("weights left, %", [mark.x for mark in marks], "{:.3g}".format, is_log=True, is_turned=True),
        spanning(label, reach(marks), "{:g}".format),
        [Series(name, looks[name], some) for name, some in curves.items()],
    )


def kept(patterns: Mapping[str, Pattern], alone: bool = True) -> Markup:
    """What patterns keep of each channel group by its depth, or, of single weights, of each stage; one over another.
    Bars are one standard deviation over seeds."""
    looks = looks_of(set(patterns))
    curves = {name: [*_kept(name, pattern)] for name, pattern in patterns.items()}
    marks = [mark for some in curves.values() for mark in some]
    panel = Panel(
        spanning("depth, from the first layer to the last", [0, 1], "{:g}".format),
        spanning("kept, %", [0, *reach(marks)], "{:g}".format),
        [Series(name, looks[name], some) for name, some in curves.items()],
    )
    return draw("What stays by depth", [panel], alone)


def _kept(name: str, pattern: Pattern) -> Iterator[Mark]:
    stages = len(pattern.stages)
    places = [(group.depth, group.name, group.keep) for group in pattern.groups] or [
        ((place + 0.5) / stages, f"stage {stage.stage}", stage.keep) for place, stage in enumerate(pattern.stages)
    ]
    for depth, where, share in places:
        mean, spread = 100 * share.mean, 100 * (share.std or 0)
        yield Mark(depth, mean, mean - spread, mean + spread, f"{name}, {where}: {percent(share)} % kept")
