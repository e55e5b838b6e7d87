"""The library over HTTP: listed by what speaks for each, and laid on other targets without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from espalier.search.answers.patterns import weight_pattern
from espalier.search.datasets import DataPaths
from espalier.search.question import Place
from espalier.search.spec import Budget
from espalier.storage.clock import now
from espalier.storage.tables import PatternRow
from tests.app.world import SPEC, World, problem

THERE: dict[str, Any] = {
    "target": {"arch": "vgg16", "options": {"width": 0.25}, "dataset": "digits"},
    "budget": {"metric": "params", "keep": 0.3},
}


def test_a_finished_job_has_its_patterns_in_the_library(world: World) -> None:
    assert world.get("/v1/patterns")["items"] == []
    job_id = world.finish()
    items = world.get("/v1/patterns", arch="vgg16")["items"]
    assert [(one["job"], one["pattern"]["name"], one["record"]) for one in items] == [(job_id, "slimming", [])] * 2
    assert world.get(f"/v1/patterns/{items[0]['id']}") == items[0]
    problem(world.client.get("/v1/patterns/none"), 404, "no pattern 'none'")


def test_pages_hold_each_once(world: World) -> None:
    world.finish()
    first = world.get("/v1/patterns", limit=1)
    rest = world.get("/v1/patterns", limit=1, cursor=first["next_cursor"])
    assert rest["next_cursor"] is None
    assert first["items"][0]["id"] != rest["items"][0]["id"]


def test_a_failed_job_has_none(world: World) -> None:
    world.executor.broken = lambda one: "no" if one.origin.kind == "uniform" else None
    world.finish()
    assert world.get("/v1/patterns")["items"] == []


def test_it_is_laid_on_another_network_without_training(world: World, paths: DataPaths) -> None:
    world.service.paths = paths
    world.finish()
    known = world.get("/v1/patterns")["items"][0]
    trained = len(world.executor.evaluated)
    answer = world.client.post(f"/v1/patterns/{known['id']}/apply", json=THERE)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert 0.25 * found["dense"]["params"] < found["cost"]["params"] <= 0.3 * found["dense"]["params"]
    assert found["config"]["arch"] == "vgg16"
    assert len(world.executor.evaluated) == trained


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": {"arch": "vgg99", "dataset": "digits"}}, "no architecture 'vgg99'"),
        ({"target": {"arch": "vgg16", "dataset": "nowhere"}}, "no data set 'nowhere'"),
        ({"budget": {"metric": "params", "keep": 0.0001}}, "no widths keep 0.0001 of the params"),
        ({"budget": {"metric": "params", "keep": 2}}, "budget.keep"),
        ({"budget": None}, "budget"),
        ({"seeds": 3}, "seeds"),
    ],
)
def test_what_it_cannot_be_laid_on_is_refused(change: Any, words: str, world: World, paths: DataPaths) -> None:
    world.service.paths = paths
    world.finish()
    known = world.get("/v1/patterns")["items"][0]["id"]
    problem(world.client.post(f"/v1/patterns/{known}/apply", json=THERE | change), 422, words)
    problem(world.client.post("/v1/patterns/none/apply", json=THERE), 404, "no pattern 'none'")


def test_a_folder_that_leaves_the_data_root_is_refused(world: World, tmp_path: Path) -> None:
    world.finish()
    known = world.get("/v1/patterns")["items"][0]["id"]
    target = {"arch": "vgg16", "dataset": {"folder": f"../{tmp_path.name}"}}
    problem(world.client.post(f"/v1/patterns/{known}/apply", json=THERE | {"target": target}), 422)


def test_a_pattern_of_single_weights_is_followed_in_jobs_and_gives_no_channels(world: World) -> None:
    kernel = ((0.1, 0.2, 0.1), (0.2, 0.9, 0.2), (0.1, 0.2, 0.1))
    budget = Budget(metric="params", keep=0.3)
    one = weight_pattern("magnitude", budget, [Place("a", 8, 0)], [{0: kernel}])
    target = {"arch": "vgg16", "dataset": "digits"}
    row = PatternRow(
        id="w" * 16, job_id="j", found_at=now(), target=target, pattern=one.model_dump(mode="json")
    )  # fmt: skip
    with world.service.database.session() as session:
        session.add(row)
    assert world.get("/v1/patterns")["items"][0]["pattern"]["stages"][0]["kernel"] == [list(row) for row in kernel]
    answer = world.client.post(f"/v1/patterns/{'w' * 16}/apply", json=THERE)
    problem(answer, 422, "says which single weights stay", '"guides": [{"pattern":')
    asked = SPEC | {
        "methods": [],
        "guides": [{"pattern": "w" * 16}],
        "baselines": ["uniform_weights"],
        "budgets": [budget.model_dump()],
    }
    told = world.client.post("/v1/jobs", json=asked)
    assert told.status_code == 202, told.text
    (guide,) = told.json()["spec"]["guides"]
    assert guide["kernels"] == [[list(row) for row in kernel]]
    assert (guide["keep"], guide["pattern"]) == ([], "w" * 16)
    assert world.runner.run_one()
    (record,) = world.get(f"/v1/patterns/{'w' * 16}")["record"]
    assert (record["job"], record["against"]) == (told.json()["id"], "uniform_weights")
