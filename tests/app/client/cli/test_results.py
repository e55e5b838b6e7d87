"""Commands that show what came of jobs, and what there is to ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from espalier.app.client import cli
from espalier.app.client.cli.results import KINDS
from espalier.app.client.client import Client
from tests.app.client.cli.conftest import Run
from tests.app.client.cli.fakes import FakeClient
from tests.app.server.pages.test_architectures import trained
from tests.app.world import World
from tests.search.helpers import write_images


def test_an_architecture_is_shown_with_bars(reached: Client, world: World, run: Run) -> None:
    id = trained(world)
    text = run("show", id[:8]).output
    assert f"vgg11 {id[:10]}: " in text
    assert "7/64" in text
    assert "█░░" in text
    assert json.loads(run("show", id, "--json").stdout)["id"] == id
    del reached


def test_an_export_is_written(tmp_path: Path, fake: type[FakeClient], run: Run) -> None:
    del fake
    ran = run("export", "abc", "--format", "csv", "-o", str(tmp_path / "out.csv"))
    assert ran.exit_code == 0
    assert (tmp_path / "out.csv").read_bytes() == b"content"


@pytest.mark.parametrize("output", ["missing/out.csv", "."])
def test_a_file_that_cannot_be_written_is_exit_1(
    output: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fake: type[FakeClient],
) -> None:
    del fake
    monkeypatch.setattr("sys.argv", ["espalier", "export", "abc", "-o", str(tmp_path / output)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_an_export_goes_to_standard_output(fake: type[FakeClient], run: Run) -> None:
    del fake
    ran = run("export", "abc", "-o", "-")
    assert (ran.exit_code, ran.stdout_bytes) == (0, b"content")


def test_an_export_is_named_by_the_service(
    fake: type[FakeClient], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del fake
    monkeypatch.chdir(tmp_path)
    ran = run("export", "abc", "--format", "csv", "--json")
    assert json.loads(ran.output) == {"file": "abc.csv", "bytes": 7}
    assert (tmp_path / "abc.csv").read_bytes() == b"content"


# --- with a service ---------------------------------------------------------------------------------------------------


def test_front_and_verdict_for_people_and_for_programs(reached: Client, world: World, run: Run) -> None:
    job_id = world.finish()
    for words, value in (
        (("pareto", job_id), reached.pareto(job_id)),
        (("pareto", job_id, "--cost", "macs"), reached.pareto(job_id, "macs")),
        (("verdict", job_id), reached.verdict(job_id)),
    ):
        assert json.loads(run(*words, "--json").output) == value.model_dump(mode="json")
    assert "Pareto front over macs" in run("pareto", job_id, "--cost", "macs").output
    assert "slimming is better than uniform" in " ".join(run("verdict", job_id).output.split())
    assert run("pareto", job_id, "--cost", "channels").exit_code == 2


def test_a_front_is_saved_as_a_picture(reached: Client, world: World, run: Run, tmp_path: Path) -> None:
    del reached
    job_id = world.finish()
    assert run("pareto", job_id, "--save", str(tmp_path / "front.svg")).exit_code == 0
    assert "slimming" in (tmp_path / "front.svg").read_text()
    wrong = run("pareto", job_id, "--save", str(tmp_path / "front.gif"))
    assert (wrong.exit_code, ".svg, .png, .pdf" in wrong.output) == (2, True)
    assert run("pareto", job_id, "--save", str(tmp_path / "nowhere" / "front.svg")).exit_code == 2


def test_tickets_for_people_and_for_programs(reached: Client, world: World, run: Run) -> None:
    tickets = {"rounds": 2, "controls": ["reinit"]}
    job_id = world.finish(tickets=tickets, methods=[], budgets=[], baselines=[])
    assert json.loads(run("tickets", job_id, "--json").output) == reached.tickets(job_id).model_dump(mode="json")
    assert "Lottery tickets" in run("tickets", job_id).output
    watched = run("watch", job_id)
    assert "Tickets against reinit" in " ".join(watched.output.split())
    assert "Pareto" not in watched.output
    both = world.finish(tickets=tickets)
    assert set(json.loads(run("watch", both, "--json").stdout)) == {"job", "pareto", "verdict", "tickets"}


def test_a_report_is_written(reached: Client, world: World, run: Run, tmp_path: Path) -> None:
    del reached
    page = tmp_path / "found.md"
    ran = run("report", world.finish(name="a search"), "-o", str(page), "--json")
    assert json.loads(ran.output) == {"file": str(page)}
    assert page.read_text().startswith("# a search")
    assert (tmp_path / "found" / "front.svg").exists()


def test_the_catalog_for_people_and_for_programs(reached: Client, run: Run) -> None:
    lists = json.loads(run("catalog", "--json").output)
    assert set(lists) == set(KINDS)
    assert [entry["name"] for entry in lists["methods"]] == [entry.name for entry in reached.catalog("methods")]
    assert "slimming" in run("catalog").output


def test_one_architecture_of_the_catalog(reached: Client, run: Run) -> None:
    words = ("catalog", "vgg11", "--option", "width=0.5", "--shape", "1,32,32", "--classes", "5")
    about = json.loads(run(*words, "--json").output)
    assert about == reached.describe("vgg11", options='{"width": 0.5}', shape="1,32,32", classes=5).model_dump(
        mode="json"
    )
    text = run(*words).output
    for part in ("vgg11 for 5 classes of 1x32x32", "Channel groups", "classifier"):
        assert part in text


def test_data_shows_what_a_data_set_consists_of(world: World, reached: Client, run: Run, tmp_path: Path) -> None:
    write_images(world.settings.datasets / "pets", "train")
    write_images(world.settings.datasets / "pets", "test")
    ran = run("data", "folder:pets", "--size", "16", "--save", str(tmp_path / "four.png"))
    assert ran.exit_code == 0, ran.output
    assert "folder:pets: 22 train, 2 holdout, 24 test; 16x16 colour" in ran.output
    assert [line.split() for line in ran.output.splitlines() if line.startswith("cat")] == [["cat", "11", "1", "12"]]
    with Image.open(tmp_path / "four.png") as shown:
        assert shown.size == (4 * 16, 16)
    as_json = json.loads(run("data", "folder:pets", "--channels", "1", "--json").output)
    assert as_json == reached.describe_dataset("folder:pets", channels=1).model_dump(mode="json")


def test_which_network_to_take(reached: Client, world: World, run: Run) -> None:
    job = world.finish()
    text = run("choose", "last", "--most", "1G", "--cost", "macs").output
    id = json.loads(run("choose", job, "--most", "1g", "--cost", "macs", "--json").stdout)["architecture"]
    assert f"espalier export {id[:10]} writes it to a file" in text
    assert any(id in point.architectures for point in reached.pareto(job).points)
    refused = run("choose", job, "--most", "1")
    assert "No network on the front costs so little; the cheapest there has 100 parameters." in str(refused.exception)
    wrong = run("choose", job, "--most", "lots")
    assert (wrong.exit_code, "'lots' is no amount; 100k, 2.5M and 4 are" in wrong.output) == (2, True)
