"""Commands that show what came of jobs, and what there is to ask for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from espalier.app import charts, tables
from espalier.app.client.cli.common import (
    LOCAL,
    AsJson,
    Channels,
    Fit,
    Job,
    Size,
    Token,
    Url,
    connected,
    examples,
    option_of,
    show,
    the_job,
)
from espalier.app.words import amount_of, no_amount
from espalier.search.answers.values import CostName

app = typer.Typer()

Save = Annotated[Path | None, typer.Option(help="file for the picture, too: .svg; .png and .pdf with an extra package")]


def _save(draw: Callable[[], str], path: Path | None) -> None:
    if path is None:
        return
    try:
        charts.save(draw(), path)
    except (charts.CannotSave, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--save") from error


@app.command(epilog=examples("espalier pareto last --cost macs --save front.svg"))
def pareto(
    job: Job,
    cost: Annotated[CostName, typer.Option(help="what accuracy is held against")] = "params",
    save: Save = None,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Print a job's Pareto front."""
    with connected(url, token) as client:
        job = the_job(client, job)
        front = client.pareto(job, cost)
        _save(lambda: charts.front([front]), save)
        measured = (tables.latency(front),) if cost == "latency" and any(one.latency for one in front.points) else ()
        show(as_json, front, tables.pareto(front), *measured, *front.notes)


@app.command(
    epilog=examples(
        "espalier choose last --most 100k",
        "espalier choose last --most 4 --cost latency   at most four milliseconds an image",
    )
)
def choose(
    job: Job,
    most: Annotated[str, typer.Option(help="that the network may cost: 100k, 2.5M; of latency 4, in milliseconds")],
    cost: Annotated[CostName, typer.Option(help="what it may cost so much of")] = "params",
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Print which network to take for a budget: on the front, and best on the hold-out."""
    room = amount_of(most)
    if room is None:
        raise typer.BadParameter(no_amount(most), param_hint="--most")
    with connected(url, token) as client:
        found = client.choose(the_job(client, job), room, cost)
        hint = f"espalier export {found.architecture[:10]} writes it to a file"
        show(as_json, found, tables.choice(found), hint)


@app.command(epilog=examples("espalier verdict last"))
def verdict(job: Job, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Print whether automatic pruning was better."""
    with connected(url, token) as client:
        job = the_job(client, job)
        answer = client.verdict(job)
        show(as_json, answer, tables.verdict(answer), tables.efficiency(answer), answer.summary)


@app.command(epilog=examples("espalier tickets last --save tickets.svg"))
def tickets(job: Job, save: Save = None, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Print a job's lottery tickets, round by round."""
    with connected(url, token) as client:
        job = the_job(client, job)
        answer = client.tickets(job)
        _save(lambda: charts.tickets(answer), save)
        show(as_json, answer, tables.tickets(answer), answer.summary)


@app.command(epilog=examples("espalier report last -o report.html   one file that opens offline"))
def report(
    job: Job,
    output: Annotated[Path, typer.Option("--output", "-o", help="the page; its picture goes beside it")] = Path(
        "report.md"
    ),
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Write a job down, with front, verdict, versions and spec: Markdown and a folder, or one file if it ends with
    .html."""
    from espalier.app.client.report import write

    with connected(url, token) as client:
        job = the_job(client, job)
        write(client, job, output)
    show(as_json, {"file": str(output)}, str(output))


@app.command("show", epilog=examples("espalier show 91bf0c3fb1"))
def show_architecture(
    architecture: Annotated[
        str, typer.Argument(help="id of an architecture, or its first characters, as tables show them")
    ],
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Show an architecture: how many channels of each group stay, and what training it showed."""
    with connected(url, token) as client:
        found = client.architecture(architecture)
        config = found.config
        shape = ",".join(map(str, config.shape))
        about = client.describe(config.arch, options=json.dumps(config.options), shape=shape, classes=config.classes)
        show(as_json, found, *tables.network(found, about))


@app.command(
    epilog=examples(
        "espalier export 91bf0c3fb1 --format python -o pruned.py", "espalier export 91bf0c3fb1 --format onnx"
    )
)
def export(
    architecture: Annotated[
        str, typer.Argument(help="id of an architecture, or its first characters, as tables show them")
    ],
    format: Annotated[str, typer.Option(help="json, yaml, csv, python, safetensors, onnx, torch_export")] = "json",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="file to write; - for standard output")] = None,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Write an architecture to a file."""
    with connected(url, token) as client:
        name, content = client.export(architecture, format)
    if str(output) == "-":
        sys.stdout.buffer.write(content)
        return
    path = output or Path(name)
    path.write_bytes(content)
    show(as_json, {"file": str(path), "bytes": len(content)}, f"{path} ({len(content):,} bytes)")


KINDS = ("architectures", "datasets", "methods", "arms", "planners", "tasks", "layers", "exports", "executors")


@app.command(
    epilog=examples("espalier catalog   everything that can be asked for", "espalier catalog vgg16 --option width=0.5")
)
def catalog(
    name: Annotated[str | None, typer.Argument(help="an architecture, to see what of it can be pruned")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="factory option, for example width=0.5 or blocks=[4,0,3]")
    ] = None,
    shape: Annotated[str | None, typer.Option(help="of one input: channels,height,width")] = None,
    classes: Annotated[int | None, typer.Option(min=1)] = None,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List what there is to ask for, or show one architecture."""
    with connected(url, token) as client:
        if name is not None:
            options = json.dumps(dict(map(option_of, option))) if option else None
            about = client.describe(name, options=options, shape=shape, classes=classes)
            show(as_json, about, *tables.architecture(about))
            return
        lists = {kind: client.catalog(kind) for kind in KINDS}
        show(as_json, lists, *(tables.entries(kind, entries) for kind, entries in lists.items()))


@app.command(epilog=examples("espalier data folder:pets --size 64 --save four.png"))
def data(
    name: Annotated[str, typer.Argument(help="a data set, or folder:NAME for images under the data root")],
    size: Size = None,
    fit: Fit = None,
    channels: Channels = None,
    save: Annotated[Path | None, typer.Option(help="file for four of its pictures, as a PNG")] = None,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Show what a data set consists of: images by part and class, and what their files were."""
    with connected(url, token) as client:
        about = client.describe_dataset(name, size=size, fit=fit, channels=channels)
    if save is not None:
        save.write_bytes(about.samples)
    show(as_json, about, *tables.dataset(name, about))
