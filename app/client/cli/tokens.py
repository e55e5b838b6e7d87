"""Commands about tokens, on the machine of the service: they open its database, and ask no service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from espalier.app.client.cli.common import AsJson, examples, show
from espalier.app.tables import table
from espalier.storage.errors import StorageError
from espalier.storage.roles import ROLES, Role

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

app = typer.Typer(
    help="Give others a token of their own, with as much as they need, and take it back.",
    epilog=examples("espalier token create ada --role submit", "espalier token revoke ada"),
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="whose it is, or what it is for")]


@app.command(epilog=examples("espalier token create dashboard --role read"))
def create(
    name: Name,
    role: Annotated[
        Role, typer.Option(help="read: look at everything; submit: queue jobs and change those; admin: everybody's")
    ] = ROLES[0],
    as_json: AsJson = False,
) -> None:
    """Make a token, and print it once."""
    from espalier.storage import tokens as stored

    with _session() as session:
        token = stored.create(session, name, role)
    show(as_json, {"name": name, "role": role, "token": token}, f"{token}\nIt is not kept, and not shown again.")


@app.command("list", epilog=examples("espalier token list"))
def list_tokens(as_json: AsJson = False) -> None:
    """List tokens beside the service's own."""
    from espalier.storage import tokens as stored

    with _session() as session:
        found = [
            {"name": row.name, "role": row.role, "created_at": row.created_at, "revoked_at": row.revoked_at}
            for row in stored.listing(session)
        ]
    rows = (
        (one["name"], one["role"], f"{one['created_at']:%Y-%m-%d}", "revoked" if one["revoked_at"] else "valid")
        for one in found
    )
    show(as_json, found, table("Tokens", ("name", "role", "made", "state"), rows))


@app.command(epilog=examples("espalier token revoke ada"))
def revoke(name: Name, as_json: AsJson = False) -> None:
    """Let a token open nothing any more, within seconds."""
    from espalier.storage import tokens as stored

    with _session() as session:
        stored.revoke(session, name)
    show(as_json, {"revoked": name}, f"the token {name} is revoked")


@contextmanager
def _session() -> Iterator[Session]:
    """The service's database; what it refuses, it refuses of the name."""
    from espalier.app.server.processes import session_here

    try:
        with session_here() as session:
            yield session
    except StorageError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from error
