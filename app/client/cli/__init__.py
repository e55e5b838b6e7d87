"""The command line. Heavy imports wait until a command needs them."""

from __future__ import annotations

import sys

import typer
from rich.text import Text

from espalier.app.client.cli import jobs, patterns, results, service
from espalier.app.client.client import ClientError
from espalier.app.words import make_console, plain

app = typer.Typer(
    help="Pruning as architecture search: automatic widths against uniform and random ones, trained from scratch.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (service, jobs, patterns, results):
    app.add_typer(group.app)


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
