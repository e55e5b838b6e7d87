"""What commands share: whom they talk to, with which token, and how answers are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from espalier.app import tables
from espalier.app.client import cli
from espalier.app.client.cli.common import option_of, show
from espalier.app.client.client import Client
from espalier.app.schemas import CostView, PlanView
from espalier.app.tables import table
from espalier.search.states import JobState
from tests.app.client.cli.conftest import Run
from tests.app.client.cli.fakes import FakeClient
from tests.app.client.values import job
from tests.app.world import World


def test_a_stored_token_goes_to_this_machine_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fake: type[FakeClient], run: Run
) -> None:
    monkeypatch.setenv("ESPALIER_DATA_DIR", str(tmp_path))
    (tmp_path / "token").write_text("kept\n")
    run("jobs")
    assert fake.made[1] == "kept"
    run("jobs", "--url", "http://example.org")
    assert fake.made[1] is None
    run("jobs", "--url", "http://example.org", "--token", "given")
    assert fake.made[1] == "given"


@pytest.mark.parametrize(
    ("text", "value"),
    [("width=0.5", 0.5), ("blocks=[4,0,3]", [4, 0, 3]), ("bias=true", True), ('name="a=b"', "a=b"), ("x=1e3", 1000.0)],
)
def test_an_option_is_a_name_and_json(text: str, value: Any) -> None:
    assert option_of(text) == (text.partition("=")[0], value)


@pytest.mark.parametrize("text", ["width", "width=", "width=wide", "width=NaN", "width=-Infinity", "width=[1e999]"])
def test_what_is_no_option_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected name=value with a value in JSON"):
        option_of(text)


def test_json_for_programs_tables_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"job": job(), "list": [job()]}
    show(True, value, table("Title", ("one",), [("a cell that is wide",)]))
    assert json.loads(capsys.readouterr().out)["list"][0]["created_at"] == "2026-01-01T00:00:00Z"
    show(False, value, table("Title", ("one",), [("a cell that is wide",)]), "words")
    out = capsys.readouterr().out
    assert all(words in out for words in ("Title", "one", "cell", "words"))


def test_the_newest_job_is_called_last(reached: Client, world: World, run: Run) -> None:
    assert "there is no job yet" in str(run("verdict", "last").exception)
    world.finish(name="older")
    newest = world.finish(name="newer", seeds=[5, 6])
    for command in ("pareto", "verdict", "candidates", "pattern", "watch"):
        assert run(command, "last", "--json").stdout == run(command, newest, "--json").stdout, command
    for command in ("retry", "cancel"):
        assert f"job {newest} is succeeded" in str(run(command, "last").exception)
    assert run("delete", "last", "--yes").exit_code != 0, "what is deleted is named"
    assert len(reached.jobs()) == 2


def commands() -> list[str]:
    return sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", commands())
def test_every_commands_help_ends_with_an_example(run: Run, command: str) -> None:
    text = run(command, "--help").output
    _, _, shown = text.partition("For example:")
    assert f"espalier {command}" in shown
    assert run(command, "--help").exit_code == 0


def test_an_empty_table_says_that_there_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show(False, [], tables.jobs([]), tables.jobs([job()]))
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "Jobs: none"
    assert any("a job" in line for line in rest)


def test_a_job_that_is_to_stop_is_said_to() -> None:
    assert tables.jobs([job(state=JobState.RUNNING, cancel_requested=True)]).rows[0][2] == "cancelling"
    assert tables.jobs([job(state=JobState.RUNNING, pause_requested=True)]).rows[0][2] == "pausing"
    assert tables.jobs([job(state=JobState.PAUSED)]).rows[0][2] == "paused"
    assert tables.jobs([job(state=JobState.CANCELLED, cancel_requested=True)]).rows[0][2] == "cancelled"


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "is known once something was trained here."), (7200.0, "About 2 h 00 min here")]
)
def test_a_plan_says_what_it_takes(seconds: float | None, words: str) -> None:
    cost = CostView(params=1500, macs=2_000_000)
    plan = PlanView(candidates=(), dense=cost, epochs=3, macs=10**12, seconds=seconds)
    told = tables.effort_of(plan)
    assert told.startswith("3 epochs and 1 T multiply-adds of training in all; the whole network has 1.5 k parameters")
    assert words in told


def test_what_is_spelled_nearly_right_is_recognised(reached: Client, run: Run) -> None:
    assert "did you mean vgg19 or vgg16 or vgg13" in str(run("catalog", "vgg12").exception)
    assert "did you mean" in str(run("data", "digit").exception)
    assert "folder:NAME" in str(run("data", "shapes").exception)
    assert reached.token == "secret"


def test_without_the_token_it_is_said_where_to_take_it_from(reached: Client, run: Run) -> None:
    told = str(run("jobs", "--token", "wrong-one", "--url", reached.url).exception)
    assert "ESPALIER_TOKEN" in told
    assert "ESPALIER_DATA_DIR" in told
