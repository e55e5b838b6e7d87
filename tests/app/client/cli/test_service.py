"""Commands that run a service: what they hand on, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from espalier.app.client import cli, demo
from espalier.app.server import processes
from espalier.storage.database import Database
from tests.app.client.cli.conftest import Run


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, dict[str, bool]]]:
    """What would have been started."""
    found: list[tuple[str, int, dict[str, bool]]] = []
    monkeypatch.setattr(processes, "serve", lambda host, port, **parts: found.append((host, port, parts)))
    return found


@pytest.mark.parametrize(
    ("words", "host", "parts"),
    [
        ("serve --port 1", "127.0.0.1", (True, True, True)),
        ("serve --port 1 --no-auth", "127.0.0.1", (True, True, False)),
        ("serve --port 1 --no-auth --host ::1", "::1", (True, True, False)),
        ("serve --port 1 --host 0.0.0.0", "0.0.0.0", (True, True, True)),
        ("api --port 1", "127.0.0.1", (True, False, True)),
    ],
)
def test_a_service_is_started_as_it_was_asked_for(
    started: list[Any], run: Run, words: str, host: str, parts: tuple[bool, bool, bool]
) -> None:
    assert run(*words.split()).exit_code == 0
    assert started == [(host, 1, dict(zip(("with_api", "with_runner", "auth"), parts, strict=True)))]


def test_a_runner_has_no_api(started: list[Any], run: Run) -> None:
    assert run("runner").exit_code == 0
    ((_, _, parts),) = started
    assert (parts["with_api"], parts["with_runner"]) == (False, True)


@pytest.mark.parametrize(
    "words", ["serve --no-auth --host 0.0.0.0", "api --no-auth --host example.org", "serve --port -1"]
)
def test_what_would_be_open_to_everybody_is_refused(started: list[Any], run: Run, words: str) -> None:
    ran = run(*words.split())
    assert (ran.exit_code, started) == (2, [])


def test_upgrade_makes_the_database(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'mine.db'}"
    monkeypatch.setenv("ESPALIER_DATABASE_URL", url)
    for _ in range(2):
        assert run("upgrade").exit_code == 0
    database = Database(url)
    assert database.is_current()
    database.close()


def test_a_database_that_cannot_be_used_is_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ESPALIER_DATABASE_URL", "nonsense")
    monkeypatch.setattr("sys.argv", ["espalier", "upgrade"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "cannot open" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1])
def test_the_demonstration_ends_with_its_code(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    asked: list[Path] = []

    def fake(_console: Console, output: Path) -> int:
        asked.append(output)
        return code

    monkeypatch.setattr(demo, "run", fake)
    assert run("demo", "--output", str(tmp_path)).exit_code == code
    assert asked == [tmp_path]


def test_a_recorded_search_is_shown_until_somebody_stops_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[str] = []

    def fake(_console: Console, wait: Callable[[], object]) -> int:
        waits.append(wait.__qualname__)
        return 3

    monkeypatch.setattr(demo, "show_recorded", fake)
    assert run("demo", "--recorded").exit_code == 3
    assert waits == ["Event.wait"]
