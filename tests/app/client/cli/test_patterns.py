"""Commands about patterns: of one job, of two beside each other, of the library, and laid on other targets."""

from __future__ import annotations

import json
from pathlib import Path

from espalier.app.client.client import Client
from espalier.models.config import ChannelConfig
from espalier.search.datasets import DataPaths
from tests.app.client.cli.conftest import Run
from tests.app.world import World


def test_patterns_of_a_job_for_people_and_for_programs(reached: Client, world: World, run: Run) -> None:
    job_id = world.finish()
    assert json.loads(run("pattern", job_id, "--json").output) == reached.patterns(job_id).model_dump(mode="json")
    assert "share of each stage's channels (or single weights) that is kept" in " ".join(
        run("pattern", job_id).output.split()
    )


def test_patterns_of_two_jobs_are_held_beside_each_other(reached: Client, world: World, run: Run) -> None:
    job_id, other = world.finish(), world.finish(seeds=[5, 6])
    found = json.loads(run("pattern", job_id, "--beside", other, "--json").output)
    assert [(one["pattern"], one["beside"], one["budget"]["keep"]) for one in found] == [
        ("slimming", "slimming", 0.1),
        ("slimming", "slimming", 0.5),
    ]
    assert found[0]["similarity"]["correlation"] is None, "of one group"
    words = run("pattern", job_id, "--beside", other).output
    assert "How alike they are at equal depths" in " ".join(words.split())
    assert len(reached.patterns(other).patterns) == 2


def test_the_library_for_people_and_for_programs(reached: Client, world: World, run: Run) -> None:
    world.finish()
    found = json.loads(run("patterns", "--arch", "vgg16", "--json").output)
    assert found == [one.model_dump(mode="json") for one in reached.known_patterns("vgg16")]
    assert len(found) == 2
    words = run("patterns").output
    assert found[0]["id"][:10] in words
    assert "those for which most speaks first" in " ".join(words.split())


def test_a_pattern_is_laid_on_another_network(
    reached: Client, world: World, run: Run, paths: DataPaths, tmp_path: Path
) -> None:
    world.service.paths = paths
    world.finish()
    known, file = reached.known_patterns()[0].id, tmp_path / "config.json"
    there = ("--arch", "vgg16", "--option", "width=0.25", "--budget", "macs=0.5")
    ran = run("apply", known, *there, "--json", "-o", str(file))
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.output)
    assert found["cost"]["macs"] <= 0.5 * found["dense"]["macs"]
    assert ChannelConfig.read(json.loads(file.read_text())).widths == found["config"]["widths"]
    assert "vgg16: " in run("apply", known, *there).output
    assert f"vgg16: {found['cost']['params'] / 1000:.4g} k" in run("apply", known[:10], *there).output
    assert run("apply", "none", *there).exit_code == 1
    assert json.loads(run("apply", known, "--json").output)["config"]["arch"] == "vgg11", "where it was found"


def test_a_search_may_follow_patterns_of_the_library(reached: Client, world: World, run: Run) -> None:
    world.finish()
    known = reached.known_patterns()[0]
    planned = run("search", "--arch", "vgg11", "--dataset", "digits", "--guide", known.id, "--seeds", "1", "--plan")
    assert planned.output.count("guided by vgg11 digits") == 3, planned.output
