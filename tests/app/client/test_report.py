"""A job as a page: everything in it, and a picture that is one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from espalier.app.client import Client
from espalier.app.report import picture, write
from tests.app.test_api import SPEC, World


class InProcess(Client):
    """Talks to an application in this process."""

    def __init__(self, world: World) -> None:
        super().__init__("http://testserver", "secret")
        self._http.close()
        self._http = world.client  # type: ignore[assignment]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "data")
    yield world
    world.client.close()
    world.service.close()


def texts(svg: bytes) -> str:
    """Words of a picture; matplotlib leaves them as comments beside the outlines of letters."""
    ElementTree.fromstring(svg)
    return " ".join(re.findall(r"<!-- (.*?) -->", svg.decode()))


def test_a_report_has_front_verdict_versions_and_spec(world: World, tmp_path: Path) -> None:
    job_id = world.finish(baselines=["uniform", "random"], name="a search")
    page = tmp_path / "docs" / "found.md"
    write(InProcess(world), job_id, page)
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
    svg = (tmp_path / "docs" / "found" / "front.svg").read_bytes()
    for words in ("slimming", "uniform", "random", "dense, 1 k", "parameters"):
        assert words in texts(svg), words


def test_the_picture_is_the_same_for_the_same_front(world: World) -> None:
    front = world.get(f"/v1/jobs/{world.finish()}/pareto")
    assert picture([front]) == picture([front])


def test_a_report_of_a_job_that_has_not_begun(world: World, tmp_path: Path) -> None:
    page = tmp_path / "report.md"
    write(InProcess(world), world.submit(), page)
    assert "the job has not ended" in page.read_text()


@pytest.mark.parametrize(
    ("number", "words"), [(7, "7"), (999, "999"), (110_069, "110.1 k"), (78_744_064, "78.74 M"), (2e9, "2 G")]
)
def test_counts_in_words(number: Any, words: str) -> None:
    from espalier.app.show import count

    assert count(number) == words
