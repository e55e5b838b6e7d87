"""Commands about tokens, on the machine of the service: they open its database, and ask no service."""

from __future__ import annotations

from typing import Annotated

import typer

from espalier.app.client.cli.common import AsJson, examples, show
from espalier.app.tables import table
from espalier.storage.errors import StorageError
from espalier.storage.roles import ROLES, Role

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
    from espalier.app.server.processes import session_here
    from espalier.storage import tokens as stored

    try:
        with session_here() as session:
            token = stored.create(session, name, role)
    except StorageError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from error
    show(as_json, {"name": name, "role": role, "token": token}, f"{token}\nIt is not kept, and not shown again.")


@app.command("list", epilog=examples("espalier token list"))
def list_tokens(as_json: AsJson = False) -> None:
    """List tokens beside the service's own."""
    from espalier.app.server.processes import session_here
    from espalier.storage import tokens as stored

    with session_here() as session:
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
    from espalier.app.server.processes import session_here
    from espalier.storage import tokens as stored

    try:
        with session_here() as session:
            stored.revoke(session, name)
    except StorageError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from error
    show(as_json, {"revoked": name}, f"the token {name} is revoked")
