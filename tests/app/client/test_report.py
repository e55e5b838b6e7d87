"""A job as a page: everything in it, and a picture that is one."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from espalier.app.client.client import Client
from espalier.app.client.report import write
from tests.app.charts.test_figures import texts
from tests.app.world import SPEC, World


def test_a_report_has_front_verdict_versions_and_spec(world: World, client: Client, tmp_path: Path) -> None:
    job_id = world.finish(baselines=["uniform", "random"], name="a search")
    page = tmp_path / "docs" / "found.md"
    write(client, job_id, page)
    text = page.read_text()
    assert text.startswith("# a search\n")
    assert "(found/front.svg)" in text
    assert world.get(f"/v1/jobs/{job_id}/verdict")["summary"] in text
    for words in (
        "| uniform |",
        "| random |",
        "params=0.1",
        "| better |",
        "15 of 15 networks",
        "torch 0, cpu",
        "float32",
    ):
        assert words in text, words
    spec = json.loads((tmp_path / "docs" / "found" / "spec.json").read_text())
    assert spec["budgets"] == SPEC["budgets"]
    assert world.client.post("/v1/jobs", json=spec).status_code == 202, "what was written can be submitted again"
    svg = (tmp_path / "docs" / "found" / "front.svg").read_text()
    for words in ("slimming", "uniform", "random", "dense, 1 k", "parameters"):
        assert words in texts(svg), words


def test_the_numbers_of_every_seed_make_the_verdict_again(world: World, client: Client, tmp_path: Path) -> None:
    job_id, page = world.finish(), tmp_path / "found.md"
    write(client, job_id, page)
    assert "[found/seeds.csv](found/seeds.csv)" in page.read_text()
    rows = list(csv.DictReader((tmp_path / "found" / "seeds.csv").read_text().splitlines()))
    assert len(rows) == 11
    (verdict, *_) = world.get(f"/v1/jobs/{job_id}/verdict")["verdicts"]
    own, theirs = (
        [float(row["test"]) for row in rows if (row["arm"], row["budget"]) == (name, "params=0.1")]
        for name in ("slimming", "uniform")
    )
    assert verdict["difference"] == pytest.approx(fmean(own) - fmean(theirs))
    assert {row["state"] for row in rows} == {"succeeded"}


def test_a_report_of_a_job_that_has_not_begun(world: World, client: Client, tmp_path: Path) -> None:
    page = tmp_path / "report.md"
    write(client, world.submit(), page)
    assert "the job has not ended" in page.read_text()


def test_what_earlier_jobs_trained_is_said(world: World, client: Client, tmp_path: Path) -> None:
    world.finish()
    again, page = world.submit(name="again"), tmp_path / "report.md"
    assert world.runner.run_one()
    write(client, again, page)
    assert "of training in all, but for 11 of them, and their time, in earlier jobs, in" in page.read_text()


def test_what_failed_is_not_counted_as_trained(world: World, client: Client, tmp_path: Path) -> None:
    world.executor.broken = lambda one: "the loss became nan" if one.origin.kind == "uniform" else None
    page = tmp_path / "report.md"
    write(client, world.finish(), page)
    text = page.read_text()
    assert "7 of 11 networks were trained" in text
    assert "There is no verdict" in text
    assert "## Verdict" not in text


def test_a_report_says_how_to_run_it_again_and_leaves_out_what_was_left_to_the_preset(
    world: World, client: Client, tmp_path: Path
) -> None:
    page = tmp_path / "report.md"
    write(client, world.submit(recipe={"epochs": 3}), page)
    spec = json.loads((tmp_path / "report" / "spec.json").read_text())
    assert spec["recipe"] == {"epochs": 3}
    assert "`espalier submit report/spec.json --wait` runs it again" in page.read_text()


TICKETS: dict[str, Any] = {
    "tickets": {"rounds": 2, "controls": ["reinit"]},
    "methods": [],
    "budgets": [],
    "baselines": [],
}


def test_tickets_have_a_page_and_a_picture_of_their_own(world: World, client: Client, tmp_path: Path) -> None:
    job_id, page = world.finish(**TICKETS), tmp_path / "tickets.md"
    write(client, job_id, page)
    text = page.read_text()
    assert world.get(f"/v1/jobs/{job_id}/tickets")["summary"] in text
    assert "(tickets/tickets.svg)" in text
    assert "front.svg" not in text
    assert "| reinit | 2 |" in text
    words = texts((tmp_path / "tickets" / "tickets.svg").read_text())
    assert all(word in words for word in ("ticket", "reinit", "weights left, %"))


def test_a_search_with_tickets_shows_both(world: World, client: Client, tmp_path: Path) -> None:
    page = tmp_path / "both.md"
    write(client, world.finish(tickets=TICKETS["tickets"]), page)
    assert all(words in page.read_text() for words in ("(both/tickets.svg)", "(both/front.svg)"))


NASTY = "</script><script>alert(1)</script>"


def result_of(page: str) -> tuple[str, str]:
    """The sealed text, and its seal."""
    (sealed,) = re.findall(r'<script type="application/json" id="result">(.*)</script>', page)
    (seal,) = re.findall(r"SHA-256 <code>(\w+)</code>", page)
    return sealed, seal


def test_one_file_holds_everything(world: World, client: Client, tmp_path: Path) -> None:
    job_id, page = world.finish(name=NASTY, baselines=["uniform", "random"]), tmp_path / "there" / "found.html"
    write(client, job_id, page)
    assert [one.name for one in page.parent.iterdir()] == ["found.html"]
    text = page.read_text()
    assert world.get(f"/v1/jobs/{job_id}/verdict")["summary"] in text
    assert text.count("<svg") == 2
    for words in (
        "Pareto fronts",
        "Efficiency",
        "15 of 15 networks",
        "torch 0, cpu",
        "Every training",
        "random params=0.5",
    ):
        assert words in text, words
    assert not re.findall(r'(?:src|href)="', text), "it needs nothing else"
    assert "<script>alert" not in text
    sealed, seal = result_of(text)
    assert hashlib.sha256(sealed.encode()).hexdigest() == seal
    result = json.loads(sealed)
    assert result["job"]["name"] == NASTY
    assert result["verdict"] == world.get(f"/v1/jobs/{job_id}/verdict")
    assert len(result["candidates"]) == 15


@pytest.mark.parametrize("suffix", [".html", ".htm", ".HTML"])
def test_a_file_of_tickets_and_of_a_job_that_has_not_begun(
    suffix: str, world: World, client: Client, tmp_path: Path
) -> None:
    page = tmp_path / f"tickets{suffix}"
    write(client, world.finish(**TICKETS), page)
    assert "Lottery tickets" in page.read_text()
    write(client, world.submit(), page)
    assert "the job has not ended" in page.read_text()
    assert json.loads(result_of(page.read_text())[0])["job"]["state"] == "queued"
