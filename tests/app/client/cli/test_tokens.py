"""Tokens from the command line, on the machine of the service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.app.client.cli.conftest import Run


@pytest.fixture(autouse=True)
def _is_upgraded(run: Run) -> None:
    assert run("upgrade").exit_code == 0


def test_a_token_is_made_listed_and_revoked(run: Run) -> None:
    made = json.loads(run("token", "create", "ada", "--role", "submit", "--json").output)
    assert (made["name"], made["role"], len(made["token"])) == ("ada", "submit", 32)
    listed = run("token", "list").output
    assert "ada" in listed
    assert made["token"] not in listed
    assert "valid" in listed
    assert run("token", "revoke", "ada").exit_code == 0
    assert json.loads(run("token", "list", "--json").output)[0]["revoked_at"] is not None


def test_the_least_is_the_default_and_it_is_shown_once(run: Run) -> None:
    shown = run("token", "create", "dashboard").output
    assert "not shown again" in shown
    assert json.loads(run("token", "list", "--json").output)[0]["role"] == "read"


def test_what_cannot_be_is_wrong_usage(run: Run) -> None:
    assert run("token", "create", "ada", "--role", "owner").exit_code == 2
    run("token", "create", "ada")
    again = run("token", "create", "ada")
    assert (again.exit_code, "already" in again.output) == (2, True)
    gone = run("token", "revoke", "bob")
    assert (gone.exit_code, "there are: ada" in gone.output.replace("\n", " ")) == (2, True)


def test_no_token_is_made_for_a_service_that_is_not_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESPALIER_DATA_DIR", str(tmp_path / "elsewhere"))
    assert "run espalier upgrade" in str(run("token", "create", "ada").exception)
    assert not (tmp_path / "elsewhere").exists()
