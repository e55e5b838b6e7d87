"""Commands about patterns: what jobs found, and what it gives elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from espalier.app import tables
from espalier.app.client.cli.common import (
    LOCAL,
    AsJson,
    Channels,
    Fit,
    Job,
    Size,
    Token,
    Url,
    budget_of,
    connected,
    examples,
    retargeted,
    show,
    the_job,
)
from espalier.search.answers.patterns import similarity

app = typer.Typer()


@app.command(epilog=examples("espalier pattern last --beside 47a5e7258badf9d3   says how alike two jobs' patterns are"))
def pattern(
    job: Job,
    beside: Annotated[str | None, typer.Option(help="another job, to say how alike their patterns are")] = None,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Print how much of each stage a job's methods keep."""
    with connected(url, token) as client:
        job = the_job(client, job)
        found = client.patterns(job)
        if beside is None:
            show(as_json, found, tables.patterns(found), *filter(None, [tables.kernels(found)]))
            return
        others = client.patterns(the_job(client, beside))
        pairs = [
            (one, other, similarity(one, other))
            for one in found.patterns
            for other in others.patterns
            if (one.budget, one.grain) == (other.budget, other.grain)
        ]
        alike = [
            {"pattern": one.name, "beside": other.name, "budget": one.budget, "similarity": found}
            for one, other, found in pairs
        ]
        show(as_json, alike, tables.patterns(found), tables.patterns(others), tables.similarities(pairs))


@app.command(epilog=examples("espalier patterns --arch vgg19 --dataset cifar10"))
def patterns(
    arch: Annotated[str | None, typer.Option(help="a network they are wanted for")] = None,
    dataset: Annotated[str | None, typer.Option(help="a data set they are wanted for")] = None,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List the patterns of all jobs, first those that did best where they were followed."""
    with connected(url, token) as client:
        found = client.known_patterns(arch, dataset)
        show(as_json, found, tables.library(found))


@app.command(epilog=examples("espalier apply 8bf291de29 --arch vgg19 --budget macs=0.3 -o config.json"))
def apply(
    pattern: Annotated[str, typer.Argument(help="id of a pattern, see `espalier patterns`")],
    arch: Annotated[str | None, typer.Option(help="another network; the pattern's own if not given")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="another data set, or folder:NAME; the pattern's own if not")
    ] = None,
    size: Size = None,
    fit: Fit = None,
    channels: Channels = None,
    option: Annotated[list[str] | None, typer.Option(help="factory option of the network")] = None,
    budget: Annotated[str, typer.Option(help="share of the cost that may stay")] = "params=0.5",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="file for the channel config")] = None,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Show the channels that a pattern gives with another network, data set or budget; nothing is trained."""
    with connected(url, token) as client:
        own = client.known_pattern(pattern).target.model_dump(mode="json")
        there = retargeted(own, arch, dataset, option, size=size, fit=fit, channels=channels)
        found = client.apply(pattern, there, budget_of(budget))
    if output is not None:
        output.write_text(json.dumps(found.config.model_dump(mode="json"), indent=2) + "\n")
    show(as_json, found, *tables.applied(found))
