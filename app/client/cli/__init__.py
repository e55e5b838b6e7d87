"""The command line. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.text import Text

from espalier.app.client.cli import jobs, patterns, results, service, tokens
from espalier.app.client.cli.common import examples
from espalier.app.client.client import ClientError
from espalier.app.words import make_console, plain
from espalier.search.version import VERSION

app = typer.Typer(
    help="Pruning as architecture search: automatic widths against uniform and random ones, trained from scratch.",
    epilog=examples("espalier demo", "espalier serve", "espalier search --arch vgg11 --dataset fashion_small --plan"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in (service, jobs, patterns, results):
    app.add_typer(group.app)
app.add_typer(tokens.app, name="token")


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"espalier {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="print the release, and leave")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: exit 0 if all went well, 1 if something failed, 2 for wrong usage."""
    from espalier.app.settings import SettingsError

    try:
        app()
    except (ClientError, SettingsError, OSError) as error:  # of the system: a file that cannot be written
        words = Text.assemble(("error:", "bold red"), f" {plain(str(error), lines=True)}")
        make_console(stderr=True).print(words, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
