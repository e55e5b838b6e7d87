"""What commands share: options, the client, and how answers are printed."""

from __future__ import annotations

import json
import math
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python

from espalier.app.addresses import is_loopback
from espalier.app.client.client import Client, ClientError, dataset_of
from espalier.app.tables import Table
from espalier.app.words import json_or_word, make_console, plain, strict_json

console = make_console()

Url = Annotated[str, typer.Option(envvar="ESPALIER_URL", help="where the service is")]
Token = Annotated[
    str, typer.Option(envvar="ESPALIER_TOKEN", help="its token; read from the data directory if not given")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]

Size = Annotated[int | None, typer.Option(min=8, max=1024, help="of a folder's images: edge in pixels")]
Fit = Annotated[
    str | None, typer.Option(help="how a folder's images become square: crop (default) or pad with black bars")
]
Channels = Annotated[int | None, typer.Option(help="of a folder's images: 1 for grey, 3 for colour (default)")]

Method = Annotated[
    list[str] | None,
    typer.Option(help="pruning method, with options slimming:passes=2,across=max; may be repeated"),
]

Job = Annotated[str, typer.Argument(help="its id, or `last` for the newest")]

LOCAL = "http://127.0.0.1:8000"


@contextmanager
def connected(url: str, token: str) -> Iterator[Client]:
    """A client of the service."""
    with Client(url, token or _stored_token(url)) as client:
        yield client


def _stored_token(url: str) -> str | None:
    """The token that a service on this machine made, if its data directory is the one set here; for it alone."""
    from espalier.app.settings import load

    if not is_loopback(urllib.parse.urlsplit(url).hostname or ""):
        return None

    path = load().data_dir / "token"
    return path.read_text().strip() if path.exists() else None


def examples(*lines: str) -> str:
    """The end of a command's help: what may be typed, a line each."""
    return "\n\n".join(["For example:", *lines])


def the_job(client: Client, job: str) -> str:
    """The id of a job as a command line names it."""
    if job != "last":
        return job
    newest = client.jobs(most=1)
    if not newest:
        raise ClientError("there is no job yet; `espalier submit` and `espalier search` make one")
    return newest[0].id


def show(as_json: bool, value: Any, *tables: Any) -> None:
    """JSON for programs, tables for people."""
    if as_json:
        typer.echo(json.dumps(to_jsonable_python(value), indent=2))
    else:
        for table in tables:
            console.print(plain(table, lines=True) if isinstance(table, str) else _or_none(table))


def _or_none(table: Any) -> Any:
    """A table, or that there is nothing in it."""
    return f"{table.title}: none" if isinstance(table, Table) and not table.rows else table


def option_of(text: str) -> tuple[str, Any]:
    """A factory option: name=value, the value in JSON."""
    key, _, value = text.partition("=")
    try:
        return key, strict_json(value)
    except ValueError as error:
        raise typer.BadParameter(
            f"expected name=value with a value in JSON, for example width=0.5 or blocks=[4,0,3], got {text!r}"
        ) from error


def method_of(text: str) -> dict[str, Any]:
    """A method: slimming, or with options slimming:passes=2,across=max; what is no JSON is a word."""
    name, colon, options = text.partition(":")
    if not colon:
        return {"name": name}
    given = dict(one.partition("=")[::2] for one in options.split(","))
    if not all(key and value for key, value in given.items()):
        raise typer.BadParameter(f"expected NAME:option=value,option=value, got {text!r}")
    return {"name": name, "options": {key: json_or_word(value) for key, value in given.items()}}


def retargeted(
    target: Mapping[str, Any], arch: str | None, dataset: str | None, option: list[str] | None, **how: Any
) -> dict[str, Any]:
    """A target with another network, data set or factory options, where they are given; `how` a folder is read.
    Options belong to a network: another one has none but those that are given."""
    found = dict(target)
    if dataset is not None:
        found["dataset"] = dataset_of(dataset, **how)
    if arch is not None:
        found |= {"arch": arch, "options": {}}
    if option:
        found["options"] = dict(map(option_of, option))
    return found


def budget_of(text: str) -> dict[str, Any]:
    """A share of the cost, or a preset of the architecture."""
    if "=" not in text:
        return {"preset": text}
    metric, keep = _pair(text)
    return {"metric": metric, "keep": keep}


def _pair(text: str) -> tuple[str, float]:
    key, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise typer.BadParameter(f"expected name=number, for example params=0.1, got {text!r}")
    return key, number
