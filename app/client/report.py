"""A job written down as a page: the question, the front as a picture and a table, the verdict, how it was made."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from espalier.app import charts, tables
from espalier.app.client.client import Client
from espalier.app.rendering import STATIC_FILES, picture, rendered
from espalier.app.schemas import CandidateView, JobView
from espalier.app.words import markdown
from espalier.search.answers.patterns import Patterns
from espalier.search.answers.tickets import TicketAnswer
from espalier.search.answers.values import Answer, CostName, Pareto
from espalier.search.events import CandidateFinished
from espalier.search.results import MadeBy
from espalier.search.states import FINISHED

COSTS: tuple[CostName, ...] = ("params", "macs")
COLUMNS = (
    "arm", "budget", "seed", "init", "match", "lr", "state", "params", "macs", "holdout", "test", "epochs",
    "training_macs", "pipeline_macs", "seconds", "architecture", "error",
)  # fmt: skip
"""Of the file with every training."""


class Told(NamedTuple):
    """What a service says of a job."""

    job: JobView
    fronts: Sequence[Pareto]
    answer: Answer
    trainings: Sequence[CandidateView]
    tickets: TicketAnswer | None
    patterns: Patterns
    taken_over: int

    @property
    def spec(self) -> str:
        """What was submitted."""
        return json.dumps(_set(self.job.spec.model_dump(mode="json")), indent=2)

    @property
    def is_search(self) -> bool:
        """Whether there is anything but tickets."""
        return bool(self.job.spec.budgets) or self.tickets is None


def write(client: Client, job_id: str, page: Path) -> None:
    """Write the job down: as one file that holds everything, if its name ends with .html; else as Markdown, with
    pictures, spec and numbers in a folder beside it of the same name. Raises ClientError."""
    told = _ask(client, job_id)
    if page.suffix.lower() in (".html", ".htm"):
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(_html(told), encoding="utf-8")
    else:
        _write_markdown(told, page)


def _ask(client: Client, job_id: str) -> Told:
    job = client.job(job_id)
    return Told(
        job,
        [client.pareto(job_id, cost) for cost in COSTS],
        client.verdict(job_id),
        client.candidates(job_id),
        client.tickets(job_id) if job.spec.tickets else None,
        client.patterns(job_id),
        _taken_over(client, job) if job.state in FINISHED else 0,
    )


def _html(told: Told) -> str:
    """One page without links to anything: pictures, tables, and all numbers as JSON, sealed with their hash."""
    figures, found = [], list[tables.Table]()
    if told.tickets:
        figures.append(charts.tickets(told.tickets, False))
        found.append(tables.tickets(told.tickets))
    if told.is_search:
        figures += [charts.front([front], False) for front in told.fronts]
        found += _tables(told)
    sealed = json.dumps(
        {
            "job": told.job.model_dump(mode="json"),
            "fronts": {front.cost: front.model_dump(mode="json") for front in told.fronts},
            "verdict": told.answer.model_dump(mode="json"),
            "tickets": told.tickets and told.tickets.model_dump(mode="json"),
            "patterns": told.patterns.model_dump(mode="json"),
            "candidates": [one.model_dump(mode="json") for one in told.trainings],
        },
        sort_keys=True,
    ).replace("<", "\\u003c")
    return rendered(
        "report.html",
        job=told.job,
        style=Markup((STATIC_FILES / "espalier.css").read_text(encoding="utf-8")),
        summaries=[
            one for one in (told.tickets and told.tickets.summary, told.is_search and told.answer.summary) if one
        ],
        notes=told.fronts[0].notes,
        figures=[picture(one) for one in figures],
        tables=[one for one in found if one.rows],
        how=_duration(told.job, told.trainings, told.taken_over),
        made=sorted({_made_by(one.made_by) for one in told.trainings if one.made_by}),
        deviations=sorted({note for one in told.trainings if one.ran for note in one.ran.notes}),
        spec=told.spec,
        sealed=Markup(sealed),
        seal=hashlib.sha256(sealed.encode()).hexdigest(),
        numbers=tables.table("Every training", COLUMNS, _rows(told.trainings)),
    )


def _write_markdown(told: Told, page: Path) -> None:
    beside = page.with_suffix("")
    beside.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    if told.tickets:
        (beside / "tickets.svg").write_text(charts.tickets(told.tickets), encoding="utf-8")
        found += _of_tickets(beside.name, told.tickets)
    if told.is_search:
        (beside / "front.svg").write_text(charts.front(told.fronts), encoding="utf-8")
        found += _of_search(beside.name, told)
    (beside / "spec.json").write_text(told.spec + "\n", encoding="utf-8")
    (beside / "seeds.csv").write_text(_numbers(told.trainings), encoding="utf-8")
    page.write_text("\n\n".join(_sections(told, beside.name, found)) + "\n", encoding="utf-8")


def _set(value: Any) -> Any:
    """A spec without what was left to the preset."""
    if isinstance(value, dict):
        return {name: _set(inner) for name, inner in value.items() if inner is not None}
    return [_set(inner) for inner in value] if isinstance(value, list) else value


def _made_by(made: MadeBy) -> str:
    """The versions and machine settings behind a number, in words."""
    execution = made.execution
    layout = "channels last" if execution.channels_last else "contiguous"
    return (
        f"Espalier {made.espalier}, torch {made.torch}, {execution.device}, {execution.precision}, "
        f"{layout}, threads for each network: {execution.threads}"
    )


def _sections(told: Told, beside: str, found: Sequence[str]) -> Iterator[str]:
    yield f"# {markdown(told.job.called)}"
    yield from found
    yield "## How it was made"
    yield _duration(told.job, told.trainings, told.taken_over)
    yield "\n".join(sorted({f"- {_made_by(one.made_by)}" for one in told.trainings if one.made_by}))
    notes = sorted({f"- {markdown(note)}" for one in told.trainings if one.ran for note in one.ran.notes})
    if notes:
        yield "Where the recipe was not followed to the letter:"
        yield "\n".join(notes)
    yield f"What every training showed, seed by seed, is in [{beside}/seeds.csv]({beside}/seeds.csv)."
    yield f"`espalier submit {beside}/spec.json --wait` runs it again. What was submitted:"
    yield f"```json\n{told.spec}\n```"


def _numbers(trainings: Sequence[CandidateView]) -> str:
    """As CSV, a row for each training; accuracies as fractions, multiply-adds of its own training and of all that it
    took to come to it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *_rows(trainings)])
    return text.getvalue()


def _rows(trainings: Sequence[CandidateView]) -> Iterator[Sequence[object]]:
    for one in trainings:
        own, pipeline = (one.ledger.own, one.ledger.pipeline) if one.ledger else (None, None)
        yield (
            one.arm.name, one.budget, one.seed, one.init, one.match, one.lr, one.state, one.params, one.macs,
            one.holdout, one.accuracy, one.ran and one.ran.epochs, own and own.macs, pipeline and pipeline.macs,
            one.seconds, one.architecture, one.error,
        )  # fmt: skip


def _of_search(beside: str, told: Told) -> Iterator[str]:
    yield " ".join([told.answer.summary, *told.fronts[0].notes])
    yield f"![Accuracy against cost]({beside}/front.svg)"
    yield "Bars are one standard deviation over seeds; `ms` is the latency of one image on one thread."
    for found in _tables(told):
        if found.rows:
            yield f"## {found.title}"
            yield found.markdown()


def _tables(told: Told) -> Iterator[tables.Table]:
    yield tables.comparison(told.fronts[0])
    yield tables.pareto(*told.fronts)
    yield tables.verdict(told.answer)
    yield tables.efficiency(told.answer)
    yield tables.hypervolume(told.fronts)
    yield tables.effort(told.trainings)
    yield tables.patterns(told.patterns)
    yield tables.latency(told.fronts[0])


def _of_tickets(beside: str, answer: TicketAnswer) -> Iterator[str]:
    yield answer.summary
    yield f"![Tickets against the share of weights left]({beside}/tickets.svg)"
    found = tables.tickets(answer)
    yield f"## {found.title}"
    yield found.markdown()


def _taken_over(client: Client, job: JobView) -> int:
    """How many networks an earlier job had trained."""
    told = (event.data for event in client.events(job.id))
    return len({one.candidate for one in told if isinstance(one, CandidateFinished) and one.taken_over})


def _duration(job: JobView, trainings: Sequence[CandidateView], taken_over: int) -> str:
    ended = [one.seconds for one in trainings if one.seconds]
    words = f"{len(ended)} of {len(trainings)} networks were trained, {_minutes(sum(ended))} of training in all"
    if taken_over:
        words += f", but for {taken_over} of them, and their time, in earlier jobs"
    if not (job.started_at and job.finished_at):
        return f"{words}; the job has not ended."
    clock = (job.finished_at - job.started_at).total_seconds()
    return f"{words}, in {_minutes(clock)} by the clock ({job.started_at:%Y-%m-%d})."


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
