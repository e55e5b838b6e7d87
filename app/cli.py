"""The command line. Heavy imports wait until a command needs them."""

from __future__ import annotations

import ipaddress
import json
import math
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from espalier.app import show
from espalier.app.client import Client, ClientError, Json, dataset_of

app = typer.Typer(
    help="Pruning as architecture search: automatic widths against uniform and random ones, trained from scratch.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console()

Url = Annotated[str, typer.Option(envvar="ESPALIER_URL", help="where the service is")]
Token = Annotated[
    str, typer.Option(envvar="ESPALIER_TOKEN", help="its token; read from the data directory if not given")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
Host = Annotated[str, typer.Option(help="address to listen on")]
Port = Annotated[int, typer.Option(min=0, max=65535)]
NoAuth = Annotated[bool, typer.Option("--no-auth", help="ask for no token; on loopback addresses only")]

LOCAL = "http://127.0.0.1:8000"


def main() -> None:
    """Entry point: exit 0 if all went well, 1 if something failed, 2 for wrong usage."""
    from espalier.app.settings import SettingsError
    from espalier.storage.errors import StorageError

    try:
        app()
    except (ClientError, SettingsError, StorageError, OSError) as error:  # of the system: a file that cannot be written
        Console(stderr=True).print(f"[bold red]error:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


# --- the service ----------------------------------------------------------------------------------------------------


@app.command()
def serve(host: Host = "127.0.0.1", port: Port = 8000, no_auth: NoAuth = False) -> None:
    """Run everything in one: API, page and runner."""
    from espalier.app import serving

    serving.serve(host, port, with_api=True, with_runner=True, auth=_auth(host, no_auth))


@app.command()
def api(host: Host = "127.0.0.1", port: Port = 8000, no_auth: NoAuth = False) -> None:
    """Run the API alone; jobs wait for a runner elsewhere."""
    from espalier.app import serving

    serving.serve(host, port, with_api=True, with_runner=False, auth=_auth(host, no_auth))


@app.command()
def runner() -> None:
    """Run jobs, without an API."""
    from espalier.app import serving

    serving.serve("", 0, with_api=False, with_runner=True, auth=True)


@app.command()
def upgrade() -> None:
    """Bring the database up to date."""
    from espalier.app.settings import load
    from espalier.storage.database import Database

    database = Database(load().url)
    database.upgrade()
    database.close()


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="directory for the exported network")] = Path(
        "espalier-demo"
    ),
) -> None:
    """Show it all on data that ships with a package: a service, a search over HTTP, front, verdict, export."""
    from espalier.app.demo import run

    raise typer.Exit(run(console, output))


def _auth(host: str, no_auth: bool) -> bool:
    if not no_auth:
        return True
    if not _is_loopback(host):
        raise typer.BadParameter(f"--no-auth works on loopback addresses only, got {host}; use 127.0.0.1, or a token")
    return False


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# --- the client -----------------------------------------------------------------------------------------------------


@contextmanager
def _client(url: str, token: str) -> Iterator[Client]:
    with Client(url, token or _stored_token(url)) as client:
        yield client


def _stored_token(url: str) -> str | None:
    """The token that a service on this machine made, if its data directory is the one set here; for it alone."""
    from espalier.app.settings import load

    if not _is_loopback(urllib.parse.urlsplit(url).hostname or ""):
        return None

    path = load().data_dir / "token"
    return path.read_text().strip() if path.exists() else None


def _print(as_json: bool, value: Any, *tables: Any) -> None:
    if as_json:
        typer.echo(json.dumps(value, indent=2))
    else:
        for table in tables:
            console.print(table)


def _read_spec(path: Path) -> Json:
    import yaml

    try:
        spec = yaml.safe_load(path.read_text())  # JSON is YAML
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read as JSON or YAML: {error}") from error
    if not isinstance(spec, dict):
        raise typer.BadParameter(f"{path} holds no spec; the least is {{'target': {{'arch': …, 'dataset': …}}}}")
    try:
        json.dumps(spec, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{path} holds what JSON cannot say: {error}") from error
    return spec


@app.command()
def submit(
    spec: Annotated[Path, typer.Argument(help="a job spec, JSON or YAML")],
    wait: Annotated[bool, typer.Option("--wait", help="follow the job, then print front and verdict")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="show what would run, and run nothing")] = False,
    idempotency_key: Annotated[str | None, typer.Option(help="makes a repeated submission the same job")] = None,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Submit a search."""
    with _client(url, token) as client:
        _submit(client, _read_spec(spec), wait, plan, as_json, idempotency_key)


@app.command()
def search(
    arch: Annotated[str, typer.Option(help="see `espalier catalog`")],
    dataset: Annotated[str, typer.Option(help="a data set, or folder:NAME for images under the data root")],
    option: Annotated[
        list[str] | None, typer.Option(help="factory option, for example width=0.5 or blocks=[4,0,3]")
    ] = None,
    budget: Annotated[list[str] | None, typer.Option(help="for example params=0.1; may be repeated")] = None,
    method: Annotated[list[str] | None, typer.Option(help="pruning method; may be repeated")] = None,
    baseline: Annotated[list[str] | None, typer.Option(help="uniform or random; may be repeated")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=64, help="how many seeds")] = 3,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    preset: Annotated[str | None, typer.Option(help="recipe of the data set")] = None,
    name: str = "",
    plan: Annotated[bool, typer.Option("--plan", help="show what would run, and run nothing")] = False,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Submit a search, follow it, and print the Pareto table and the verdict."""
    options = dict(map(_option, option or []))
    spec: Json = {
        "name": name,
        "target": {"arch": arch, "options": options, "dataset": dataset_of(dataset)},
        "seeds": list(range(seeds)),
        "recipe": {"preset": preset, "epochs": epochs},
    }
    if budget:
        spec["budgets"] = [{"metric": metric, "keep": keep} for metric, keep in map(_pair, budget)]
    if method:
        spec["methods"] = [{"name": one} for one in method]
    if baseline:
        spec["baselines"] = baseline
    with _client(url, token) as client:
        _submit(client, spec, True, plan, as_json)


def _pair(text: str) -> tuple[str, float]:
    key, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise typer.BadParameter(f"expected name=number, for example params=0.1, got {text!r}")
    return key, number


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _refuse(text)


def _option(text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value, parse_constant=_refuse, parse_float=_finite)
    except ValueError as error:
        raise typer.BadParameter(
            f"expected name=value with a value in JSON, for example width=0.5 or blocks=[4,0,3], got {text!r}"
        ) from error


def _submit(
    client: Client, spec: Json, wait: bool, plan: bool, as_json: bool, idempotency_key: str | None = None
) -> None:
    if plan:
        planned = client.post("/v1/jobs/plan", spec)
        _print(as_json, planned, show.candidates(planned["candidates"]))
        return
    job = client.submit(spec, idempotency_key)
    if not wait:
        _print(as_json, job, show.jobs([job]))
        return
    _watch(client, job["id"], as_json)


def _watch(client: Client, job_id: str, as_json: bool) -> None:
    """Follow a job to its end and print what came of it; exit 1 unless it succeeded."""
    job = show.follow(client, job_id, Console(stderr=True) if as_json else console)
    front, answer = client.get(f"/v1/jobs/{job_id}/pareto"), client.get(f"/v1/jobs/{job_id}/verdict")
    tables = (show.pareto(front), show.verdict(answer), show.efficiency(answer), answer["summary"])
    _print(as_json, {"job": job, "pareto": front, "verdict": answer}, *tables)
    if job["state"] != "succeeded":
        raise ClientError(f"job {job_id} {job['state']}" + (f": {job['error']}" if job["error"] else ""))


@app.command("jobs")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="queued, running, succeeded, failed or cancelled")] = None,
    most: Annotated[int, typer.Option(min=1)] = 50,
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    with _client(url, token) as client:
        items = client.pages("/v1/jobs", most, state=state)
        _print(as_json, items, show.jobs(items))


@app.command()
def watch(job: str, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Follow a job to its end."""
    with _client(url, token) as client:
        _watch(client, job, as_json)


@app.command()
def pareto(
    job: str,
    cost: Annotated[str, typer.Option(help="params, macs or latency")] = "params",
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Print a job's Pareto front."""
    with _client(url, token) as client:
        front = client.get(f"/v1/jobs/{job}/pareto", cost=cost)
        _print(as_json, front, show.pareto(front))


@app.command()
def verdict(job: str, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Print whether automatic pruning was better."""
    with _client(url, token) as client:
        answer = client.get(f"/v1/jobs/{job}/verdict")
        _print(as_json, answer, show.verdict(answer), show.efficiency(answer), answer["summary"])


@app.command()
def report(
    job: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="the page; its picture goes beside it")] = Path(
        "report.md"
    ),
    url: Url = LOCAL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Write a job down: a Markdown page with front, verdict and versions, a picture, and the spec."""
    from espalier.app.report import write

    with _client(url, token) as client:
        write(client, job, output)
    _print(as_json, {"file": str(output)}, str(output))


@app.command()
def cancel(job: str, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Stop a job; its finished results stay."""
    with _client(url, token) as client:
        answer = client.post(f"/v1/jobs/{job}/cancel")
        _print(as_json, answer, show.jobs([answer]))


@app.command()
def retry(job: str, url: Url = LOCAL, token: Token = "", as_json: AsJson = False) -> None:
    """Let a failed or cancelled job go on where it was."""
    with _client(url, token) as client:
        answer = client.post(f"/v1/jobs/{job}/retry")
        _print(as_json, answer, show.jobs([answer]))


@app.command()
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
    with _client(url, token) as client:
        name, content = client.export(architecture, format)
    if str(output) == "-":
        sys.stdout.buffer.write(content)
        return
    path = output or Path(name)
    path.write_bytes(content)
    _print(as_json, {"file": str(path), "bytes": len(content)}, f"{path} ({len(content):,} bytes)")


@app.command()
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
    with _client(url, token) as client:
        if name is not None:
            options = json.dumps(dict(map(_option, option))) if option else None
            about = client.get(f"/v1/catalog/architectures/{name}", options=options, shape=shape, classes=classes)
            _print(as_json, about, *show.architecture(about))
            return
        kinds = ("architectures", "datasets", "methods", "exports")
        lists = {kind: client.get(f"/v1/catalog/{kind}") for kind in kinds}
        tables = [
            show.table(kind.capitalize(), ("name", "description"), ((e["name"], e["description"]) for e in entries))
            for kind, entries in lists.items()
        ]
        _print(as_json, lists, *tables)


if __name__ == "__main__":
    main()
