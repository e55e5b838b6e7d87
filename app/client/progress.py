"""A job's progress on the terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from espalier.app import tables
from espalier.app.client.client import Client
from espalier.app.schemas import JobView
from espalier.app.words import plain
from espalier.search.events import (
    CandidateFailed,
    CandidateFinished,
    CandidateStarted,
    EpochEvent,
    Event,
    ExtendedEvent,
    MeasuringEvent,
    PreparingEvent,
    SilentEvent,
    SmokeEvent,
    StateEvent,
    TransferEvent,
)

MOMENT = 5.0
"""Seconds between two looks at the front."""
MOST_POINTS = 8
"""Of it, that are shown while a job runs: the dearest, and so the best."""


def follow(client: Client, job_id: str, console: Console) -> JobView:
    """Show a job's progress until it ends; the job as it ended."""
    job = client.job(job_id)
    console.print(plain(f"job {job_id}"), highlight=False, markup=False, emoji=False)
    try:
        _follow(client, job, console)
    except KeyboardInterrupt:
        words = f"job {job_id} goes on: espalier watch {job_id} follows it again, espalier cancel {job_id} stops it"
        console.print(plain(words), highlight=False, markup=False, emoji=False)
        raise
    return client.job(job_id)


def _follow(client: Client, job: JobView, console: Console) -> None:
    columns: list[Any] = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    with _Bar(*columns, console=console) as bar:
        task = bar.add_task(plain(job.called), total=job.progress.total)
        running: dict[str, str] = {}
        ended: set[str] = set()
        for event in client.events(job.id):
            _show(event.data, running, ended, bar)
            total = max(job.progress.total, len(ended | running.keys()))  # a planner may have asked for more
            words = "  ".join(running.values()) or job.name
            bar.update(task, completed=len(ended), total=total, description=plain(words))
            if console.is_terminal and isinstance(event.data, CandidateFinished):
                bar.look_at(client, job)
        bar.front = None


class _Bar(Progress):
    """Progress, and below it the front so far."""

    front: RenderableType | None = None
    looked: float = -math.inf

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is drawn anew all the time."""
        yield from super().get_renderables()
        if self.front is not None:
            yield self.front

    def look_at(self, client: Client, job: JobView) -> None:
        """Ask for the front, unless that was done a moment ago."""
        if time.monotonic() < self.looked + MOMENT:
            return
        self.looked = time.monotonic()
        front = client.pareto(job.id)
        best = tuple(point for point in front.points if point.on_front)
        self.front = tables.pareto(front.model_copy(update={"points": best[-MOST_POINTS:]})) if best else None
        self.refresh()


def _show(event: Event, running: dict[str, str], ended: set[str], bar: Progress) -> None:
    if isinstance(event, EpochEvent):
        running[event.candidate] = f"{event.label} {event.epoch + 1}/{event.epochs}"
    elif isinstance(event, CandidateStarted):
        running[event.candidate] = event.label
        ended.discard(event.candidate)  # it failed in an earlier attempt
    elif isinstance(event, (CandidateFinished, CandidateFailed)):
        running.pop(event.candidate, None)
        ended.add(event.candidate)
        bar.console.print(plain(f"  {event.label}: {_words(event)}"), highlight=False, markup=False, emoji=False)
    elif isinstance(event, PreparingEvent):
        bar.console.print("  preparing: how are these networks computed fastest here?", highlight=False)
    elif isinstance(event, SmokeEvent):
        words = "does every arm get through one batch?" if event.passed is None else f"{event.passed} arms got through"
        bar.console.print(f"  smoke run: {words}", highlight=False)
    elif isinstance(event, MeasuringEvent):
        bar.console.print("  measuring: what does running these networks take here?", highlight=False)
    elif isinstance(event, TransferEvent):
        words = f"  carried to {event.arch} on {event.dataset}: {f'job {event.job}' if event.job else event.error}"
        bar.console.print(plain(words), highlight=False, markup=False, emoji=False)
    elif isinstance(event, SilentEvent):
        words = f"  nothing was heard of {event.label} for {event.seconds / 60:.0f} minutes; it may hang"
        bar.console.print(plain(words), highlight=False, markup=False, emoji=False)
    elif isinstance(event, (StateEvent, ExtendedEvent)):
        running.clear()


def _words(event: CandidateFinished | CandidateFailed) -> str:
    if isinstance(event, CandidateFailed):
        return f"failed: {event.error}"
    return f"{100 * event.accuracy:.2f} %" + (", taken over from an earlier job" if event.taken_over else "")
