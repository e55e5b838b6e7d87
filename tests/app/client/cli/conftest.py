"""What tests of the command line share: commands that reach nobody, or a service in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from espalier.app.client import cli
from espalier.app.client.cli import common
from espalier.app.client.client import Client
from tests.app.client.cli.fakes import FakeClient

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """`run("jobs", "--json")` runs a command; `typed` is what is typed into it."""
    return lambda *words, typed=None: CliRunner().invoke(cli.app, list(words), input=typed)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    """Commands talk to nobody."""
    FakeClient.posted = []
    FakeClient.key = None
    monkeypatch.setattr(common, "Client", FakeClient)
    return FakeClient


@pytest.fixture
def reached(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Commands talk to the service of this test."""
    monkeypatch.setenv("ESPALIER_URL", client.url)
    monkeypatch.setenv("ESPALIER_TOKEN", "secret")
    return client
