"""Tables for people."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from rich.table import Table as RichTable

from espalier.app.charts.bars import Bar
from espalier.app.schemas import (
    AppliedView,
    ArchitectureView,
    CandidateView,
    CatalogArchitecture,
    CatalogEntry,
    JobView,
    PlannedCandidate,
    PlanView,
    ProgressView,
)
from espalier.app.words import WAYS, count, duration, markdown, percent, plain
from espalier.search.answers.choice import Choice
from espalier.search.answers.patterns import KnownPattern, Pattern, Patterns, Similarity, Transfer
from espalier.search.answers.statistics import Direction
from espalier.search.answers.tickets import Spread, TicketAnswer
from espalier.search.answers.values import Answer, Efficiency, Pareto, Point, sample
from espalier.search.candidates import Arm
from espalier.search.datasets.summary import Summary
from espalier.search.results import Ledger

_NUMBER = re.compile(r"-|[+-]?\d[\d.,]*( [kMGTP]|x| %|/\d+| ± [\d.]+)?")


class Table(NamedTuple):
    """A table of words, for the terminal and for Markdown; numbers stand to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __rich__(self) -> RichTable:
        """For the terminal."""
        result = RichTable(
            title=self.title, title_justify="left", header_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False
        )
        for column, numeric in zip(self.columns, self.numeric, strict=True):
            result.add_column(column, justify="right" if numeric else "left")
        for row in self.rows:
            result.add_row(*row)
        return result

    def markdown(self) -> str:
        """For a document; the title is left to it."""
        rules = tuple("---:" if numeric else "---" for numeric in self.numeric)
        rows = (tuple(map(markdown, row)) for row in self.rows)
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.columns, rules, *rows))

    @property
    def numeric(self) -> list[bool]:
        """Of every column, whether it has nothing but numbers."""
        return [bool(self.rows) and all(map(_NUMBER.fullmatch, cells)) for cells in zip(*self.rows, strict=True)] or [
            False for _ in self.columns
        ]


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of anything that has words."""
    return Table(plain(title), tuple(columns), tuple(tuple(map(_cell, row)) for row in rows))


def _cell(value: object) -> str:
    return "" if value is None else plain(str(value))


def jobs(items: Iterable[JobView]) -> Table:
    """A list of jobs."""
    rows = (
        (
            job.id,
            job.name,
            job.standing,
            _done(job.progress),
            f"{job.created_at:%Y-%m-%dT%H:%M:%S}",
        )
        for job in items
    )
    return table("Jobs", ("id", "name", "state", "done", "submitted"), rows)


def effort_of(plan: PlanView) -> str:
    """What a plan takes, in a sentence."""
    words = (
        f"{plan.epochs} epochs and {count(plan.macs)} multiply-adds of training in all; the whole network has "
        f"{count(plan.dense.params)} parameters and takes {count(plan.dense.macs)} multiply-adds an image."
    )
    if plan.seconds is None:
        return f"{words} How long that takes is known once something was trained here."
    return f"{words} About {duration(plan.seconds)} here, by what was trained so far."


def _done(progress: ProgressView) -> str:
    failed = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.done}/{progress.total}{failed}"


def pareto(front: Pareto, *more: Pareto) -> Table:
    """The Pareto table of a job; of several fronts, the first column names those that a point is on. Narrow enough for
    80 characters, so that what points are chosen by stands in the title alone."""
    fronts = {one.cost: {point.arm.id: point for point in one.points} for one in (front, *more)}
    rows = (
        (
            ", ".join(
                f"{cost}{_chance(own)}" for cost, points in fronts.items() if (own := points[point.arm.id]).on_front
            )
            if more
            else "●" * point.on_front + _chance(point),
            point.arm.name,
            str(point.budget or "-"),
            count(point.params),
            count(point.macs),
            f"{point.latency_ms:.2f}",
            percent(point.accuracy),
            point.accuracy.n,
            point.architecture[:10],
        )
        for point in front.points
    )
    columns = ("front" if more else "", "widths", "budget", "params", "MACs", "ms", "test %", "n", "architecture")
    title = "Pareto fronts" if more else f"Pareto front over {front.cost} (●)"
    return table(f"{title}, chosen by the hold-out; per cent: how probable that is", columns, rows)


def _chance(point: Point) -> str:
    return "" if point.front_probability is None else f" {100 * point.front_probability:.0f}%"


def choice(found: Choice) -> Table:
    """The network to take. Accuracy is of its arm, over seeds."""
    point = found.point
    row = (
        point.arm.name,
        str(point.budget or "-"),
        count(found.params),
        count(found.macs),
        f"{point.latency_ms:.2f}",
        percent(point.accuracy),
        point.accuracy.n,
        found.architecture[:10],
    )
    return table("Take", ("widths", "budget", "params", "MACs", "ms", "test %", "n", "architecture"), [row])


def latency(front: Pareto) -> Table:
    """What running a front's networks takes, one image at once and several."""
    measured = next((point.latency for point in front.points if point.latency), ())
    heads = [
        f"{one.images} image{'s' * (one.images > 1)}, {one.threads} thread{'s' * (one.threads > 1)}" for one in measured
    ]
    rows = (
        (
            point.arm.name,
            str(point.budget or "-"),
            *(f"{one.median_ms:.2f} ({one.quartiles_ms[0]:.2f} to {one.quartiles_ms[1]:.2f})" for one in point.latency),
        )
        for point in front.points
        if len(point.latency) == len(measured) > 0  # of a job that was retried, some may not be measured yet
    )
    title = f"Milliseconds, median and quartiles, on {measured[0].machine}" if measured else "Latency"
    return table(title, ("widths", "budget", *heads), rows)


def comparison(front: Pareto) -> Table:
    """Methods against ways of training: what each found, at each budget, trained in each way. No rows where all were
    trained in one."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for point in front.points:
        way = WAYS.get((point.init, point.match))
        if point.budget is not None and way is not None:
            found.setdefault((str(point.budget), point.subject), {})[way] = percent(point.accuracy)
    ways = [way for way in WAYS.values() if any(way in cells for cells in found.values())]
    rows = ((*place, *(cells.get(way, "-") for way in ways)) for place, cells in sorted(found.items()))
    title = "Ways of training: test accuracy in per cent"
    return table(title, ("budget", "widths", *ways), rows if len(ways) > 1 else ())


def verdict(answer: Answer) -> Table:
    """The verdicts at each budget: each alone, and as they hold together."""
    rows = (
        (
            f"{v.metric}={v.keep:g}" if v.keep is not None else v.arm.label.removeprefix(v.arm.name + " "),
            f"{v.arm.name}{f' lr={v.lr:g}' if v.lr and v.init == 'inherited' else ''} {100 * v.automatic.mean:.2f}",
            f"{v.against} {100 * v.baseline.mean:.2f}",
            f"{100 * v.difference:+.2f}",
            _interval(v.interval, 100, "+.2f"),
            "not compared" if v.refused else v.answer,
            "not compared" if v.refused else v.adjusted_answer,
        )
        for v in answer.verdicts
    )
    columns = ("budget", "automatic", "baseline", "diff.", "95 % interval", "alone", "together")
    return table("Verdict: mean test accuracy in per cent at the same measured cost", columns, rows)


def efficiency(answer: Answer) -> Table:
    """How many times cheaper at equal accuracy."""
    rows = (
        (
            f"{e.name} vs {e.against}",
            e.metric,
            _times(e.factor) if e.factor is not None else "-",
            _interval(e.interval, 1, ".2f"),
            _read_at(e),
            f"{e.extremes[0]:.2f}x to {e.extremes[1]:.2f}x" if e.extremes else "-",
        )
        for e in answer.efficiency
    )
    columns = ("at equal accuracy", "cost", "times cheaper", "95 % interval", "at", "elsewhere")
    return table("Efficiency: how many times cheaper at the same accuracy", columns, rows)


def _times(factor: float) -> str:
    return f"{factor:.2f}x" + (", so dearer" if round(factor, 2) < 1 else "")


def hypervolume(fronts: Sequence[Pareto]) -> Table:
    """How good each arm is over the costs that all reach."""
    names = sorted({name for front in fronts for name in front.hypervolume})
    rows = ((name, *(_volume(front, name) for front in fronts)) for name in names)
    columns = ("widths", *(f"over {front.cost}" for front in fronts))
    return table("Test accuracy in the mean over log cost, where every arm has a network, per cent", columns, rows)


def _volume(front: Pareto, name: str) -> str:
    if name not in front.hypervolume:
        return "-"
    interval = front.hypervolume_intervals.get(name)
    return f"{100 * front.hypervolume[name]:.2f}" + (f" {_interval(interval, 100, '.2f')}" if interval else "")


def _read_at(found: Efficiency) -> str:
    if found.refused:
        return "not compared"
    if found.at_accuracy is None:
        return found.unread or "-"
    return f"{100 * found.at_accuracy:.2f} %" + (", on the way to the dense network" if found.through_dense else "")


def stages(bars: Sequence[Bar], names: Sequence[str]) -> Table:
    """What networks keep of each stage of the one that they were cut from."""
    by_stage: dict[int, list[Bar]] = {}
    for bar in bars:
        by_stage.setdefault(bar.stage, []).append(bar)
    rows = []
    for stage, own in sorted(by_stage.items()):
        whole = sum(bar.whole for bar in own)
        kept = [sum(bar.kept[place] for bar in own) for place in range(len(names))]
        rows.append((stage, whole, *(f"{count(one)} ({100 * one / whole:.1f} %)" for one in kept)))
    return table("What stays of each stage", ("stage", "channels", *names), rows)


def patterns(found: Patterns) -> Table:
    """What is kept of each stage, in per cent."""
    stages = sorted({stage.stage for one in found.patterns for stage in one.stages})
    rows = []
    for one in found.patterns:
        kept = {stage.stage: percent(stage.keep) for stage in one.stages}
        rows.append((one.name, str(one.budget), *(kept.get(stage, "-") for stage in stages), one.seeds))
    columns = ("pattern", "budget", *(f"stage {stage}" for stage in stages), "n")
    return table("Patterns: share of each stage's channels (or single weights) that is kept, per cent", columns, rows)


def kernels(found: Patterns) -> Table | None:
    """Of patterns of single weights, what each place of a 3x3 kernel keeps, in per cent; None if there is none."""
    rows = [
        (one.name, str(one.budget), stage.stage, *(" ".join(f"{100 * at:.0f}" for at in row) for row in stage.kernel))
        for one in found.patterns
        for stage in one.stages
        if stage.kernel
    ]
    columns = ("pattern", "budget", "stage", "top row", "middle row", "bottom row")
    return table("3x3 kernels: how many keep each place, per cent", columns, rows) if rows else None


def library(found: Iterable[KnownPattern]) -> Table:
    """Patterns of all jobs, with what following them did."""
    rows = (
        (
            one.id[:10],
            str(one.target),
            one.pattern.name,
            str(one.pattern.budget),
            " ".join(f"{100 * stage.keep.mean:.0f}" for stage in one.pattern.stages),
            ", ".join(f"{sum(t.answer == answer for t in one.record)} {answer}" for answer in _told(one.record)) or "-",
        )
        for one in found
    )
    columns = ("pattern", "found on", "by", "budget", "stages, % kept", "when followed")
    return table("Patterns, those for which most speaks first", columns, rows)


def _told(record: Iterable[Transfer]) -> list[Direction]:
    return list(dict.fromkeys(one.answer for one in record))


def applied(found: AppliedView) -> tuple[str, Table]:
    """What a pattern gives."""
    rows = ((name, width) for name, width in found.config.widths.items())
    shares = (found.cost.params / found.dense.params, found.cost.macs / found.dense.macs)
    head = (
        f"{found.config.arch}: {count(found.cost.params)} params ({100 * shares[0]:.1f} % of the whole network), "
        f"{count(found.cost.macs)} MACs ({100 * shares[1]:.1f} %)"
    )
    return head, table("Channels", ("group", "channels"), rows)


def similarities(pairs: Iterable[tuple[Pattern, Pattern, Similarity]]) -> Table:
    """How alike patterns of two jobs are."""
    rows = (
        (
            f"{one.name} and {other.name}",
            str(one.budget) if one.budget == other.budget else f"{one.budget} and {other.budget}",
            *map(_share, (found.correlation, *found.trivial, found.beyond)),
        )
        for one, other, found in pairs
    )
    columns = ("patterns", "budget", "alike", "one told by width", "other told by width", "alike beyond that")
    return table("How alike they are at equal depths: correlations of what is kept", columns, rows)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def tickets(answer: TicketAnswer) -> Table:
    """Lottery tickets and what they are held against, round by round."""
    rows = (
        (
            point.name,
            point.round,
            f"{100 * point.density:.1f}",
            _spread(point.accuracy, 100, ".2f"),
            _spread(point.early_accuracy, 100, ".2f"),
            _spread(point.early_step, 1, ".0f"),
            "●" * bool(point.wins),
            point.accuracy.n,
        )
        for point in answer.points
    )
    columns = ("network", "round", "left %", "test %", "at early stop", "early stop", "wins", "n")
    return table("Lottery tickets: means over seeds, least to most", columns, rows)


def _spread(spread: Spread | None, factor: float, form: str) -> str:
    if spread is None:
        return "-"
    mean, least, most = (f"{factor * value:{form}}" for value in (spread.mean, spread.least, spread.most))
    return mean if spread.n == 1 else f"{mean} ({least} to {most})"


def trainings(items: Iterable[CandidateView]) -> Table:
    """The trainings of a job."""
    rows = (
        (
            one.label,
            one.state,
            "-" if one.params is None else count(one.params),
            "-" if one.macs is None else count(one.macs),
            "-" if one.accuracy is None else f"{100 * one.accuracy:.2f}",
            "-" if one.seconds is None else f"{one.seconds:.0f}",
            one.error or (one.architecture or "")[:10],
        )
        for one in items
    )
    columns = ("training", "state", "params", "MACs", "test %", "seconds", "architecture, or what failed")
    return table("Trainings", columns, rows)


def effort(items: Iterable[CandidateView]) -> Table:
    """Accuracy against training compute: means over seeds, from what took least to what took most."""
    arms: dict[str, list[_Trained]] = {}
    for one in items:
        if one.ledger is not None and one.accuracy is not None and one.arm.role != "parent":
            arms.setdefault(one.arm.id, []).append(_Trained(one.arm, one.ledger, one.accuracy))
    took = {id: fmean(one.ledger.pipeline.macs for one in own) for id, own in arms.items()}
    whole = next((took[id] for id, own in arms.items() if own[0].arm.role == "reference"), 0)
    rows = (
        (
            arms[id][0].arm.label,
            f"{fmean(one.ledger.own.epochs for one in arms[id]):g}",
            count(fmean(one.ledger.own.macs for one in arms[id])),
            count(took[id]),
            f"{took[id] / whole:.2f}" if whole else "-",
            percent(sample([one.accuracy for one in arms[id]])),
            len(arms[id]),
        )
        for id in sorted(took, key=lambda id: took[id])
    )
    columns = ("training", "epochs", "MACs", "MACs with all before", "times dense", "test %", "n")
    return table("Accuracy against training compute", columns, rows)


class _Trained(NamedTuple):
    arm: Arm
    ledger: Ledger
    accuracy: float


def candidates(items: Iterable[PlannedCandidate]) -> Table:
    """The candidates of a plan."""
    return table("Plan", ("candidate", "epochs"), ((c.label, c.epochs) for c in items))


MANY = 50
"""Entries of one package from which on a list says how many there are."""


def entries(kind: str, found: Sequence[CatalogEntry]) -> Table:
    """What there is of one kind, with what can be set, where anything can; of a large package, how much there is."""
    packages = Counter(entry.name.partition("/")[0] for entry in found if "/" in entry.name)
    large = {package: count for package, count in packages.items() if count >= MANY}
    found = [entry for entry in found if entry.name.partition("/")[0] not in large] + [
        CatalogEntry(name=f"{package}/…", description=f"{count:,} of a package; --json lists them")
        for package, count in large.items()
    ]
    columns: dict[str, list[str]] = {"name": [entry.name for entry in found]}
    if any(entry.finds_widths is not None for entry in found):
        columns["widths"] = [_widths(entry) for entry in found]
    if any(entry.options and entry.options.get("properties") for entry in found):
        columns["options"] = [_defaults(entry.options or {}) for entry in found]
    columns["description"] = [entry.description for entry in found]
    return table(kind.capitalize(), tuple(columns), zip(*columns.values(), strict=True))


def _widths(entry: CatalogEntry) -> str:
    if entry.grain in ("block", "weight"):
        return "-"
    return "found" if entry.finds_widths else "given"


def _defaults(schema: Mapping[str, Any]) -> str:
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    return ", ".join(f"{name}={json.dumps(about.get('default'))}" for name, about in properties.items())


def architecture(about: CatalogArchitecture) -> tuple[Table | str, ...]:
    """What can be pruned of one architecture."""
    share = about.prunable
    head = (
        f"{about.name} for {about.classes} classes of {'x'.join(map(str, about.shape))}: "
        f"{about.cost.params:,} params, {about.cost.macs:,} MACs; "
        f"{100 * share.params:.1f} % of params and {100 * share.macs:.1f} % of MACs can be pruned"
        + (f"; presets of papers: {', '.join(about.presets)}" if about.presets else "")
    )
    groups = ((g.name, g.width, g.floor, g.stage, len(g.layers)) for g in about.groups)
    return (
        head,
        table("Channel groups", ("group", "width", "minimum", "stage", "layers"), groups),
        table("Layers whose outputs stay dense", ("layer", "reason"), ((k.layer, k.reason) for k in about.frozen)),
    )


BAR = 24
"""Letters of the longest bar."""


def network(found: ArchitectureView, about: CatalogArchitecture) -> tuple[Table | str, ...]:
    """One architecture that was found, beside the whole network: bars of channels, and results."""
    widest = max((group.width for group in about.groups), default=1)
    groups = []
    for group in about.groups:
        kept = found.config.widths.get(group.name, group.width)
        whole, full = (math.ceil(BAR * count / widest) for count in (group.width, kept))
        groups.append((group.name, group.stage, f"{kept}/{group.width}", "█" * full + "░" * (whole - full)))
    cells = ((one.dataset, one.arm.label, one.epochs, percent(one.accuracy), one.accuracy.n) for one in found.accuracy)
    cost, shares = found.cost, (found.cost.params / about.cost.params, found.cost.macs / about.cost.macs)
    return (
        f"{found.config.arch} {found.id[:10]}: {count(cost.params)} params ({100 * shares[0]:.1f} % of the whole "
        f"network), {count(cost.macs)} MACs ({100 * shares[1]:.1f} %)"
        + ("; single weights are masked, channels are those of the network they are in" if found.config.mask else ""),
        table("Channels", ("group", "stage", "kept", ""), groups),
        table("Results", ("data", "widths", "epochs", "test %", "n"), cells),
    )


def dataset(name: str, about: Summary) -> tuple[Table | str, ...]:
    """What a data set consists of."""
    channels, height, width = about.shape
    kind = "grey" if channels == 1 else "colour"
    parts = about.images.items()
    head = f"{name}: {', '.join(f'{sum(found.values()):,} {part}' for part, found in parts)}; {width}x{height} {kind}"
    images = ((label, *(found[label] for _, found in parts)) for label in about.classes)
    files = (
        (words, what, count)
        for words, found in (
            ("size", about.files.sizes), ("kind of pixels", about.files.modes), ("done to it", about.files.converted)
        )
        for what, count in found.items()
    )  # fmt: skip
    found: list[Table | str] = [head, *about.files.notes, table("Images", ("class", *about.images), images)]
    return (*found, table("Files", ("what", "", "images"), files)) if about.files.sizes else tuple(found)


def _interval(interval: Sequence[float] | None, factor: float, form: str) -> str:
    return "-" if interval is None else f"[{factor * interval[0]:{form}}, {factor * interval[1]:{form}}]"
