"""Commands that submit jobs, follow and steer them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from espalier.app import tables
from espalier.app.client.cli.common import (
    LOCAL,
    AsJson,
    Channels,
    Fit,
    Job,
    Method,
    Size,
    Token,
    Url,
    budget_of,
    connected,
    console,
    examples,
    method_of,
    option_of,
    retargeted,
    show,
    the_job,
)
from espalier.app.client.client import Client, ClientError, dataset_of
from espalier.app.client.progress import follow
from espalier.app.schemas import JobView
from espalier.app.words import make_console, plain
from espalier.search.spec import MOST_SEEDS
from espalier.search.states import JobState

app = typer.Typer()

Smoke = Annotated[
    bool, typer.Option("--smoke", help="try every arm for one batch before the hours begin; fail at once if one fails")
]
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$")
"""As JSON and YAML 1.2 write one with an exponent."""


@app.command(
    epilog=examples(
        "espalier submit spec.json --plan   shows what would run",
        "espalier submit spec.json --wait   follows it, then prints front and verdict",
    )
)
def submit(
    spec: Annotated[Path, typer.Argument(help="a job spec, JSON or YAML")],
    wait: Annotated[bool, typer.Option("--wait", help="follow the job, then print front and verdict")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="show what would run, and run nothing")] = False,
    idempotency_key: Annotated[str | None, typer.Option(help="makes a repeated submission the same job")] = None,
    smoke: Smoke = False,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Submit a search."""
    with connected(url, token) as client:
        asked = _read_spec(spec) | ({"smoke": True} if smoke else {})
        _submit(client, asked, wait, plan, as_json, idempotency_key)


@app.command(
    epilog=examples(
        "espalier search --arch vgg16 --option width=0.5 --dataset cifar10 --budget params=0.1 --budget macs=0.3",
        "espalier search --arch resnet20 --dataset folder:pets --method slimming:passes=2 --method taylor --plan",
    )
)
def search(
    arch: Annotated[str, typer.Option(help="see `espalier catalog`")],
    dataset: Annotated[str, typer.Option(help="a data set, or folder:NAME for images under the data root")],
    size: Size = None,
    fit: Fit = None,
    channels: Channels = None,
    option: Annotated[
        list[str] | None, typer.Option(help="factory option, for example width=0.5 or blocks=[4,0,3]")
    ] = None,
    budget: Annotated[
        list[str] | None, typer.Option(help="for example params=0.1, or a preset's name; may be repeated")
    ] = None,
    method: Method = None,
    baseline: Annotated[
        list[str] | None, typer.Option(help="uniform, random, capped or random_best; may be repeated")
    ] = None,
    guide: Annotated[
        list[str] | None, typer.Option(help="id of a pattern to follow, see `espalier patterns`; may be repeated")
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option(help="another ranking for every method: reverse, no_penalty, shuffled or shuffled_across"),
    ] = None,
    init: Annotated[
        list[str] | None, typer.Option(help="scratch, inherited, untuned or distilled; may be repeated")
    ] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(help="length of training from scratch: epochs, compute or pipeline; may be repeated"),
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="search by proposals, too: tpe, nsga2, nsga3 or random")] = None,
    trials: Annotated[int, typer.Option(min=2, help="of a sampler, for each seed")] = 30,
    tune_lr: Annotated[
        list[float] | None, typer.Option(help="a learning rate to fine-tune at; of several, the hold-out chooses")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=MOST_SEEDS, help="how many seeds")] = 3,
    most_seeds: Annotated[
        int | None, typer.Option(min=3, max=MOST_SEEDS, help="up to so many for arms whose answers are undecided")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    preset: Annotated[str | None, typer.Option(help="recipe of the data set")] = None,
    name: str = "",
    webhook: Annotated[str | None, typer.Option(help="address to tell when it has ended, if the service may")] = None,
    smoke: Smoke = False,
    max_seconds: Annotated[float | None, typer.Option(help="of training in all, after which it is stopped")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="show what would run, and run nothing")] = False,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Submit a search, follow it, and print the Pareto table and the verdict."""
    options = dict(map(option_of, option or []))
    spec: dict[str, Any] = {
        "name": name,
        "target": {
            "arch": arch,
            "options": options,
            "dataset": dataset_of(dataset, size=size, fit=fit, channels=channels),
        },
        "seeds": list(range(seeds)) if most_seeds is None else {"from": seeds, "most": most_seeds},
        "recipe": {"preset": preset, "epochs": epochs},
    }
    if budget:
        spec["budgets"] = [budget_of(one) for one in budget]
    if method or guide:  # whoever follows a pattern asks for no method by that
        spec["methods"] = [method_of(one) for one in method or ()]
    if sampler:
        spec["sampler"] = {"name": sampler, "trials": trials}
    if guide:
        spec["guides"] = [{"pattern": one} for one in guide]
    given: dict[str, Any] = {
        "baselines": baseline,
        "controls": control,
        "inits": init,
        "match": match,
        "tune_lr": tune_lr,
        "webhook": webhook,
        "smoke": smoke,
        "max_seconds": max_seconds,
    }
    spec |= {field: values for field, values in given.items() if values}
    with connected(url, token) as client:
        _submit(client, spec, True, plan, as_json)


@app.command(epilog=examples("espalier transfer last --arch vgg19   carries what was found to another network"))
def transfer(
    job: Job,
    arch: Annotated[str | None, typer.Option(help="another network; the job's own if not given")] = None,
    dataset: Annotated[str | None, typer.Option(help="another data set, or folder:NAME; the job's own if not")] = None,
    size: Size = None,
    fit: Fit = None,
    channels: Channels = None,
    option: Annotated[list[str] | None, typer.Option(help="factory option of the network")] = None,
    method: Method = None,
    plan: Annotated[bool, typer.Option("--plan", help="show what would run, and run nothing")] = False,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Carry the patterns of a job to another network or data set, and hold them against its baselines there."""
    with connected(url, token) as client:
        job = the_job(client, job)
        found = client.job(job).spec.model_dump(mode="json")
        kept = ("budgets", "baselines", "seeds", "recipe", "match", "parents", "minimum_keep", "keep_weights")
        spec = {field: found[field] for field in kept if field in found} | {
            "name": f"{found['name'] or job}, carried over"[:200],
            "target": retargeted(found["target"], arch, dataset, option, size=size, fit=fit, channels=channels),
            "methods": [method_of(one) for one in method or ()],
            "guides": [{"job": job}],
        }
        _submit(client, spec, True, plan, as_json)


def _read_spec(path: Path) -> dict[str, Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML 1.2, of which JSON is a part: 1e-4 is a number. In 1.1, which PyYAML reads, it is a word."""

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, [*"+-.0123456789"])
    try:
        spec = yaml.load(path.read_text(), Loader)  # noqa: S506  (a SafeLoader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read as JSON or YAML: {error}") from error
    if not isinstance(spec, dict):
        raise typer.BadParameter(f"{path} holds no spec; the least is {{'target': {{'arch': …, 'dataset': …}}}}")
    try:
        json.dumps(spec, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{path} holds what JSON cannot say: {error}") from error
    return spec


def _submit(
    client: Client, spec: dict[str, Any], wait: bool, plan: bool, as_json: bool, idempotency_key: str | None = None
) -> None:
    if plan:
        planned = client.plan(spec)
        many, most = len(planned.candidates), planned.most or 0
        more = [f"{many} to begin with, at most {most} in all."] if most > many else []
        show(as_json, planned, tables.candidates(planned.candidates), *more, tables.effort_of(planned))
        return
    job = client.submit(spec, idempotency_key)
    if wait:
        _watch(client, job.id, as_json)
    else:
        show(as_json, job, tables.jobs([job]))


def _watch(client: Client, job_id: str, as_json: bool) -> None:
    """Follow a job to its end and print what came of it; exit 1 unless it succeeded."""
    job = follow(client, job_id, make_console(stderr=True) if as_json else console)
    front, answer = client.pareto(job_id), client.verdict(job_id)
    if job.spec.tickets is None:
        compared = tables.comparison(front)
        found = (
            tables.pareto(front),
            *((compared,) if compared.rows else ()),
            tables.verdict(answer),
            tables.efficiency(answer),
            answer.summary,
        )
        show(as_json, {"job": job, "pareto": front, "verdict": answer}, *found)
    else:
        tickets = client.tickets(job_id)
        found_tickets = (tables.tickets(tickets), tickets.summary)
        searched = (tables.pareto(front), tables.verdict(answer), answer.summary) if job.spec.budgets else ()
        everything = {"job": job, "pareto": front, "verdict": answer, "tickets": tickets}
        show(as_json, everything, *found_tickets, *searched)
    if job.state is not JobState.SUCCEEDED:
        raise ClientError(f"job {job_id} {job.state}" + (f": {job.error}" if job.error else ""))


@app.command("jobs", epilog=examples("espalier jobs --state running"))
def list_jobs(
    state: Annotated[str | None, typer.Option(help="queued, running, paused, succeeded, failed or cancelled")] = None,
    most: Annotated[int, typer.Option(min=1)] = 50,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    with connected(url, token) as client:
        items = client.jobs(most, state)
        show(as_json, items, tables.jobs(items))


@app.command(epilog=examples("espalier watch last   follows the newest job"))
def watch(job: Job, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Follow a job to its end."""
    with connected(url, token) as client:
        job = the_job(client, job)
        _watch(client, job, as_json)


def _steer(job: str, url: str, token: str, as_json: bool, verb: Callable[[Client, str], JobView]) -> None:
    """Do something with a job, and say what became of it."""
    with connected(url, token) as client:
        answer = verb(client, the_job(client, job))
        show(as_json, answer, tables.jobs([answer]))


@app.command(epilog=examples("espalier cancel last"))
def cancel(job: Job, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Stop a job; its finished results stay."""
    _steer(job, url, token, as_json, lambda client, id: client.cancel(id))


@app.command(epilog=examples("espalier pause last"))
def pause(job: Job, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Let a job wait until it is resumed; it goes on where it was."""
    _steer(job, url, token, as_json, lambda client, id: client.pause(id))


@app.command(epilog=examples("espalier resume last"))
def resume(job: Job, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Let a paused job go on."""
    _steer(job, url, token, as_json, lambda client, id: client.resume(id))


@app.command(
    epilog=examples("espalier priority last 5      begun before all jobs of less", "espalier priority last -- -5")
)
def priority(
    job: Job,
    number: Annotated[int, typer.Argument(min=-100, max=100, help="0 at first; only an admin may set more")],
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Begin a job before those of less priority, or after those of more. One that runs goes on."""
    _steer(job, url, token, as_json, lambda client, id: client.prioritise(id, number))


@app.command(epilog=examples("espalier retry last"))
def retry(job: Job, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Let a job go on where it was: failed, cancelled, or succeeded with candidates that failed."""
    _steer(job, url, token, as_json, lambda client, id: client.retry(id))


@app.command(
    epilog=examples(
        "espalier extend last --budget params=0.05 --seed 3 --seed 4 --wait",
        "espalier extend last --method taylor:batches=16 --baseline random",
    )
)
def extend(
    job: Job,
    method: Method = None,
    budget: Annotated[
        list[str] | None, typer.Option(help="for example params=0.05, no preset; may be repeated")
    ] = None,
    baseline: Annotated[list[str] | None, typer.Option(help="for example capped; may be repeated")] = None,
    control: Annotated[list[str] | None, typer.Option(help="for example no_penalty; may be repeated")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="a seed that it does not have; may be repeated")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="follow the job, then print front and verdict")] = False,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Add methods, budgets, baselines, controls or seeds to a finished job; only what is new is trained."""
    more: dict[str, Any] = {
        "methods": [method_of(one) for one in method or ()],
        "budgets": [budget_of(one) for one in budget or ()],
        "baselines": baseline or (),
        "controls": control or (),
        "seeds": seed or (),
    }
    with connected(url, token) as client:
        answer = client.extend(the_job(client, job), more)
        if wait:
            _watch(client, answer.id, as_json)
        else:
            show(as_json, answer, tables.jobs([answer]))


@app.command(epilog=examples("espalier delete 47a5e7258badf9d3 --yes"))
def delete(
    job: Annotated[str, typer.Argument(help="its id; what is deleted is named, so `last` is none")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="ask nothing")] = False,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Forget a finished job, with what it kept that no other job uses; patterns that it found stay."""
    with connected(url, token) as client:
        found = client.job(job)
        if not yes:
            what = f"Delete job {job} ({found.name or found.spec.target}) and its {found.progress.total} trainings?"
            typer.confirm(plain(what), abort=True, err=True)
        client.delete(job)
        show(as_json, {"deleted": job}, f"job {job} is deleted")


@app.command(epilog=examples("espalier candidates last --most 20"))
def candidates(
    job: Job,
    most: Annotated[int | None, typer.Option(min=1)] = None,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List the trainings of a job, and what came of each."""
    with connected(url, token) as client:
        job = the_job(client, job)
        found = client.candidates(job, most)
        show(as_json, found, tables.trainings(found))
