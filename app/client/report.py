"""A job written down as a page: the question, the front as a picture and a table, the verdict, how it was made."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from espalier.app import charts, tables
from espalier.app.client.client import Client
from espalier.app.schemas import CandidateView, JobView
from espalier.app.words import markdown
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


def write(client: Client, job_id: str, page: Path) -> None:
    """Write the page, and its picture and spec into a folder beside it of the same name. Raises ClientError."""
    job = client.job(job_id)
    fronts = [client.pareto(job_id, cost) for cost in COSTS]
    answer, trainings = client.verdict(job_id), client.candidates(job_id)
    tickets = client.tickets(job_id) if job.spec.tickets else None
    taken_over = _taken_over(client, job) if job.state in FINISHED else 0
    spec = json.dumps(_set(job.spec.model_dump(mode="json")), indent=2)
    beside = page.with_suffix("")
    beside.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    if tickets:
        (beside / "tickets.svg").write_text(charts.tickets(tickets))
        found += _of_tickets(beside.name, tickets)
    if job.spec.budgets or not tickets:
        (beside / "front.svg").write_text(charts.front(fronts))
        found += _of_search(beside.name, fronts, answer)
    (beside / "spec.json").write_text(spec + "\n")
    (beside / "seeds.csv").write_text(_numbers(trainings))
    page.write_text("\n\n".join(_sections(job, beside.name, spec, found, trainings, taken_over)) + "\n")


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


def _sections(
    job: JobView, beside: str, spec: str, found: Sequence[str], trainings: Sequence[CandidateView], taken_over: int
) -> Iterator[str]:
    yield f"# {markdown(job.name or job.id)}"
    yield from found
    yield "## How it was made"
    yield _duration(job, trainings, taken_over)
    yield "\n".join(sorted({f"- {_made_by(one.made_by)}" for one in trainings if one.made_by}))
    notes = sorted({f"- {markdown(note)}" for one in trainings if one.ran for note in one.ran.notes})
    if notes:
        yield "Where the recipe was not followed to the letter:"
        yield "\n".join(notes)
    yield f"What every training showed, seed by seed, is in [{beside}/seeds.csv]({beside}/seeds.csv)."
    yield f"`espalier submit {beside}/spec.json --wait` runs it again. What was submitted:"
    yield f"```json\n{spec}\n```"


def _numbers(trainings: Sequence[CandidateView]) -> str:
    """As CSV, a row for each training; accuracies as fractions, multiply-adds of its own training and of all that it
    took to come to it."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for one in trainings:
        own, pipeline = (one.ledger.own, one.ledger.pipeline) if one.ledger else (None, None)
        rows.writerow([
            one.arm.name, one.budget, one.seed, one.init, one.match, one.lr, one.state, one.params, one.macs,
            one.holdout, one.accuracy, one.ran and one.ran.epochs, own and own.macs, pipeline and pipeline.macs,
            one.seconds, one.architecture, one.error,
        ])  # fmt: skip
    return text.getvalue()


def _of_search(beside: str, fronts: Sequence[Pareto], answer: Answer) -> Iterator[str]:
    yield " ".join([answer.summary, *fronts[0].notes])
    yield f"![Accuracy against cost]({beside}/front.svg)"
    yield "Bars are one standard deviation over seeds; `ms` is the latency of one image on one thread."
    for found in (
        tables.comparison(fronts[0]),
        tables.pareto(*fronts),
        tables.verdict(answer),
        tables.efficiency(answer),
        tables.latency(fronts[0]),
    ):
        if found.rows:
            yield f"## {found.title}"
            yield found.markdown()


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
