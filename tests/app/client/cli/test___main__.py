"""`python -m espalier.app.client.cli` is the command line, and starts without a framework."""

from __future__ import annotations

import subprocess
import sys

from espalier.search.version import VERSION


def cli(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "espalier.app.client.cli", *words], capture_output=True, text=True, check=False
    )


def test_it_lists_its_commands() -> None:
    ran = cli("--help")
    assert ran.returncode == 0
    for command in ("serve", "submit", "search", "pareto", "verdict", "export", "demo"):
        assert command in ran.stdout


def test_it_says_its_release() -> None:
    ran = cli("--version")
    assert (ran.returncode, ran.stdout.strip()) == (0, f"espalier {VERSION}")


def test_wrong_usage_is_2_and_a_service_that_is_not_there_is_1() -> None:
    assert cli("nonsense").returncode == 2
    ran = cli("jobs", "--url", "http://127.0.0.1:1")
    assert ran.returncode == 1
    assert "error:" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_it_imports_no_framework_before_a_command_needs_one() -> None:
    code = (
        "import sys, espalier.app.client.cli; "
        "print(sorted({'torch', 'sqlalchemy', 'optuna', 'fastapi', 'matplotlib'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
