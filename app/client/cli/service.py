"""Commands that run a service."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from espalier.app.addresses import is_loopback
from espalier.app.client.cli.common import LOCAL, AsJson, Token, Url, connected, console, examples, show
from espalier.app.client.client import ClientError
from espalier.app.tables import table

app = typer.Typer()

Host = Annotated[str, typer.Option(help="address to listen on")]
Port = Annotated[int, typer.Option(min=0, max=65535)]
NoAuth = Annotated[bool, typer.Option("--no-auth", help="ask for no token; on loopback addresses only")]
WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True)]
"""End when whoever started this does."""


@app.command(epilog=examples("espalier serve   then http://127.0.0.1:8000"))
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    no_auth: NoAuth = False,
    with_parent: WithParent = False,
) -> None:
    """Run everything in one: API, page and runner."""
    _serve(host, port, no_auth, with_parent, with_runner=True)


@app.command(epilog=examples("espalier api --host 0.0.0.0 --port 8000"))
def api(host: Host = "127.0.0.1", port: Port = 8000, no_auth: NoAuth = False, with_parent: WithParent = False) -> None:
    """Run the API alone; jobs wait for a runner elsewhere."""
    _serve(host, port, no_auth, with_parent, with_runner=False)


def _serve(host: str, port: int, no_auth: bool, with_parent: bool, with_runner: bool) -> None:
    from espalier.app.server import processes

    if with_parent:
        processes.end_with_parent()
    processes.serve(host, port, with_api=True, with_runner=with_runner, auth=_auth(host, no_auth))


@app.command(epilog=examples("ESPALIER_DATABASE_URL=postgresql://… espalier runner"))
def runner() -> None:
    """Run jobs, without an API."""
    from espalier.app.server import processes

    processes.serve("", 0, with_api=False, with_runner=True, auth=True)


@app.command(epilog=examples("espalier upgrade   before the first start of a new release"))
def upgrade() -> None:
    """Bring the database up to date."""
    from espalier.app.server import processes

    processes.upgrade()


@app.command(epilog=examples("espalier demo", "espalier demo --recorded   trains nothing"))
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="directory for the report and the network")] = Path(
        "espalier-demo"
    ),
    recorded: Annotated[
        bool, typer.Option("--recorded", help="train nothing: show a long search that was recorded, in the page")
    ] = False,
) -> None:
    """Show it all on data that comes along: a service, a search over HTTP, front, verdict, report, export."""
    from espalier.app.client.demo import run, show_recorded

    raise typer.Exit(show_recorded(console, threading.Event().wait) if recorded else run(console, output))


@app.command(epilog=examples("espalier doctor"))
def doctor(as_json: AsJson = False) -> None:
    """Say what of this machine and its settings is amiss; exit 1 if something will fail."""
    from espalier.app.checkup import checkup
    from espalier.app.settings import load

    found = list(checkup(load()))
    show(as_json, [one._asdict() for one in found], table("Checkup", ("what", "state", "in words"), found))
    if any(one.state == "bad" for one in found):
        raise typer.Exit(1)


@app.command(epilog=examples("espalier gc --dry-run", "espalier gc --older-than 1"))
def gc(
    older_than: Annotated[float, typer.Option(min=0, help="hours since a file was written")] = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would go, and delete nothing")] = False,
    force: Annotated[bool, typer.Option("--force", help="even if nothing that is kept is known here")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete files that nothing refers to any more, on the machine of the service; jobs may run meanwhile."""
    from espalier.app.housekeeping import leftovers, sweep
    from espalier.app.settings import SettingsError, load
    from espalier.storage.errors import StorageError

    try:
        settings = load()
        found = leftovers(settings, timedelta(hours=older_than), force)
        if not dry_run:
            sweep(settings, found)
    except (SettingsError, StorageError) as error:
        raise ClientError(str(error)) from error
    verb = "would be" if dry_run else "were"
    words = (
        f"{len(found.artifacts)} artifacts, the checkpoints of {len(found.checkpoints)} jobs and {len(found.folders)} "
        f"shared data sets {verb} deleted"
    )
    show(as_json, found._asdict(), words)


def _auth(host: str, no_auth: bool) -> bool:
    if not no_auth:
        return True
    if not is_loopback(host):
        raise typer.BadParameter(f"--no-auth works on loopback addresses only, got {host}; use 127.0.0.1, or a token")
    return False


@app.command(epilog=examples("espalier mcp --allow-submit"))
def mcp(
    allow_submit: Annotated[bool, typer.Option(help="let agents start and stop searches, too")] = False,
    url: Url = LOCAL,
    token: Token = "",
) -> None:
    """Serve tools for agents on standard input and output (Model Context Protocol)."""
    try:
        from espalier.app.client.agents import make_server
    except ImportError as error:
        raise ClientError("this needs a package that is not here: pip install 'espalier-nas[mcp]'") from error
    with connected(url, token) as client:
        make_server(client, allow_submit).run()
