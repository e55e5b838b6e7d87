"""What came of jobs: fronts and verdicts at any time, architectures across jobs, files."""

from __future__ import annotations

import pytest

from espalier.models.config import ChannelConfig, Cost
from espalier.models.cost import cost
from espalier.models.network import dense
from espalier.models.weights import packed
from espalier.storage import candidates
from espalier.storage.tables import ArchitectureRow
from tests.app.charts.test_figures import texts
from tests.app.world import World, problem
from tests.search.helpers import result


def test_a_finished_job_has_everything_to_show(world: World) -> None:
    job_id = world.finish(baselines=["uniform", "random"])
    job = world.get(f"/v1/jobs/{job_id}")
    assert (job["state"], job["progress"]["fraction"]) == ("succeeded", 1.0)
    front = world.get(f"/v1/jobs/{job_id}/pareto", cost="macs")
    assert front["cost"] == "macs"
    assert front["dense"]["params"] == 1000
    assert {
        "architecture",
        "origin",
        "method",
        "budget",
        "init",
        "params",
        "macs",
        "latency_ms",
        "accuracy",
        "on_front",
        "dominated_by",
    } <= set(front["points"][0])
    assert set(front["hypervolume"]) == {"slimming", "uniform", "random"}
    verdict = world.get(f"/v1/jobs/{job_id}/verdict")
    assert {v["answer"] for v in verdict["verdicts"]} == {"better"}
    assert {(e["against"], e["metric"]) for e in verdict["efficiency"]} == {
        (b, m) for b in ("uniform", "random") for m in ("params", "macs")
    }
    assert "slimming is better than uniform" in verdict["summary"]
    trained = world.get(f"/v1/jobs/{job_id}/candidates")["items"]
    assert len(trained) == 15
    assert {c["state"] for c in trained} == {"succeeded"}


def test_front_and_verdict_work_before_there_is_anything(world: World) -> None:
    job_id = world.submit()
    assert world.get(f"/v1/jobs/{job_id}/pareto")["points"] == []
    assert world.get(f"/v1/jobs/{job_id}/verdict")["verdicts"] == []


def test_the_front_is_a_picture_too(world: World) -> None:
    job_id = world.finish()
    answer = world.client.get(f"/v1/jobs/{job_id}/pareto.svg", params={"cost": "macs"})
    assert answer.headers["content-type"].startswith("image/svg+xml")
    words = texts(answer.text)
    assert "multiply-adds per image" in words
    assert "slimming" in words
    assert "<script" not in answer.text
    assert "style-src 'unsafe-inline'" in answer.headers["content-security-policy"]
    problem(world.client.get("/v1/jobs/x/pareto.svg"), 404)


def test_architectures_across_jobs(world: World) -> None:
    world.finish()
    found = world.get("/v1/architectures", sort="params")["items"]
    assert [item["params"] for item in found] == sorted(item["params"] for item in found)
    best = world.get("/v1/architectures", sort="accuracy", origin="pruned", limit=1)
    assert best["items"][0]["accuracy"]["n"] == 2
    assert best["next_cursor"] is not None
    assert world.get("/v1/architectures", min_accuracy=0.99)["items"] == []


@pytest.fixture
def real() -> tuple[ChannelConfig, Cost]:
    config = dense("vgg11", 10, (1, 32, 32), {"width": 0.1})
    return config, cost(config)


def test_an_architecture_shows_its_layers_and_leaves_as_a_file(world: World, real: tuple[ChannelConfig, Cost]) -> None:
    job_id = world.submit(budgets=[{"metric": "params", "keep": 0.1}])
    config, cost_of_it = real
    with world.service.database.session() as session:
        one = candidates.candidate_of(candidates.rows(session, job_id)[1])
        weights = world.service.store.put(packed({}, {}))
        done = result(one, 0.9, config=config, cost=cost_of_it, artifacts={"weights": weights})
        candidates.write(session, job_id, done)
    about = world.get(f"/v1/architectures/{config.id}")
    assert about["cost"] == cost_of_it._asdict()
    assert sum(layer["params"] for layer in about["layers"]) == cost_of_it.params
    assert about["layers"][0]["kernel"] == [3, 3]
    assert about["accuracy"][0]["accuracy"]["mean"] == 0.9
    assert about["accuracy"][0]["arm"] == about["results"][0]["arm"] == one.arm.model_dump()
    assert about["results"][0]["metrics"] == {"holdout": {"accuracy": 0.9}, "test": {"accuracy": 0.9}}
    assert about["results"][0]["has_weights"] is True
    path = f"/v1/architectures/{config.id}/export"
    for format, suffix in (("json", "json"), ("yaml", "yaml"), ("csv", "csv"), ("python", "py")):
        answer = world.client.get(path, params={"format": format})
        assert answer.status_code == 200
        assert answer.headers["content-disposition"] == f'attachment; filename="vgg11-{config.id[:8]}.{suffix}"'
        for tag in (answer.headers["etag"], "W/" + answer.headers["etag"], '"other", ' + answer.headers["etag"], "*"):
            again = world.client.get(path, params={"format": format}, headers={"If-None-Match": tag})
            assert (again.status_code, again.content) == (304, b"")
    problem(world.client.get(path, params={"format": "pickle"}), 422, "there are: json, yaml")
    world.service.store.path(weights).write_bytes(b"damaged")
    for format in ("json", "python"):
        assert world.client.get(path, params={"format": format}).status_code == 200, "they can do without"
    problem(world.client.get(path, params={"format": "safetensors"}), 404, "gone or damaged; submit its job again")
    assert world.get(f"/v1/architectures/{config.id}")["results"][0]["has_weights"] is False, "it was put away"
    problem(world.client.get(path, params={"format": "onnx"}), 404, "gone or damaged; submit its job again")
    short = world.client.get(f"/v1/architectures/{config.id[:10]}/export")  # as tables show it
    assert (short.content, short.headers["etag"]) == ((whole := world.client.get(path)).content, whole.headers["etag"])
    assert world.get(f"/v1/architectures/{config.id[:6]}")["id"] == config.id
    for wrong in (config.id[:5], config.id[:9] + "%", config.id + "0", ""):
        problem(world.client.get(f"/v1/architectures/{wrong}/export"), 404)


def test_an_id_that_is_too_short_for_one_architecture_says_so(world: World) -> None:
    with world.service.database.session() as session:
        for last in "01":
            row = ArchitectureRow(id="abcdef" + last * 26, arch="vgg11", config={}, params=1, macs=1)
            session.add(row)
    problem(world.client.get("/v1/architectures/abcdef"), 404, "more than one architecture begins with")


def test_two_settings_of_one_method_are_two_arms_and_two_verdicts(world: World) -> None:
    methods = [{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2.0}}]
    job_id = world.finish(methods=methods, budgets=[{"metric": "params", "keep": 0.1}])
    points = world.get(f"/v1/jobs/{job_id}/pareto")["points"]
    automatic = {point["arm"]["id"]: point for point in points if point["arm"]["role"] == "automatic"}
    assert {point["arm"]["label"] for point in automatic.values()} == {
        "slimming params=0.1",
        "slimming strength=2 params=0.1",
    }
    assert [point["accuracy"]["n"] for point in automatic.values()] == [2, 2], "their seeds are not thrown together"
    verdicts = world.get(f"/v1/jobs/{job_id}/verdict")["verdicts"]
    assert {verdict["arm"]["id"] for verdict in verdicts} == set(automatic)
    assert [(verdict["method"], verdict["automatic"]["n"]) for verdict in verdicts] == [("slimming", 2)] * 2
    parents = [c for c in world.get(f"/v1/jobs/{job_id}/candidates")["items"] if c["arm"]["role"] == "parent"]
    assert [parent["label"] for parent in parents] == [
        "slimming parent seed 0",
        "slimming strength=2 parent seed 0",
    ]


def test_a_front_over_what_is_no_cost_is_refused(world: World) -> None:
    job_id = world.submit()
    problem(world.client.get(f"/v1/jobs/{job_id}/pareto", params={"cost": "channels"}), 422, "cost")


def test_latency_is_what_was_measured_when_all_was_trained(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("espalier.app.server.routes.results.receipt_of", lambda _: [])
    job_id = world.submit()
    assert world.get(f"/v1/jobs/{job_id}/pareto", cost="latency")["points"] == []
    assert world.runner.run_one()
    for point in world.get(f"/v1/jobs/{job_id}/pareto", cost="latency")["points"]:
        assert [one["images"] for one in point["latency"]] == [1, 16]
        assert point["latency_ms"] == point["latency"][0]["median_ms"]
        about = world.get(f"/v1/architectures/{point['architecture']}")
        assert about["latency"] == point["latency"]
        assert {one["latency_ms"] for one in world.get("/v1/architectures")["items"]} >= {point["latency_ms"]}


def test_what_was_trained_to_judge_widths_is_no_architecture_of_its_own(world: World) -> None:
    world.finish(sampler={"trials": 12}, baselines=["uniform", "random_best"])
    origins = {one["origin"] for one in world.get("/v1/architectures", limit=200)["items"]}
    assert origins == {"dense", "sparse", "pruned", "uniform", "random_best", "sampled"}


def test_arms_of_architectures_are_those_of_fronts(world: World) -> None:
    job_id = world.finish()
    arms = {item["arm"]["id"] for item in world.get("/v1/architectures")["items"]}
    points = world.get(f"/v1/jobs/{job_id}/pareto")["points"]
    assert {point["arm"]["id"] for point in points} <= arms


def test_patterns_are_what_methods_keep_of_each_stage(world: World) -> None:
    job_id = world.submit()
    assert world.get(f"/v1/jobs/{job_id}/pattern") == {"patterns": []}
    assert world.runner.run_one()
    found = world.get(f"/v1/jobs/{job_id}/pattern")["patterns"]
    assert [(one["name"], one["budget"]["keep"], one["stages"][0]["keep"]["mean"]) for one in found] == [
        ("slimming", 0.1, 0.1),
        ("slimming", 0.5, 0.5),
    ]
    assert found[0]["groups"][0]["keep"]["n"] == 2
    problem(world.client.get("/v1/jobs/none/pattern"), 404, "no job 'none'")


def test_tickets_are_answered_round_by_round_at_any_time(world: World) -> None:
    wanted = {"tickets": {"rounds": 2, "controls": ["reinit"]}, "methods": [], "budgets": [], "baselines": []}
    job_id = world.submit(**wanted)
    assert world.get(f"/v1/jobs/{job_id}/tickets")["points"] == []
    assert world.runner.run_one()
    found = world.get(f"/v1/jobs/{job_id}/tickets")
    assert [(p["name"], p["round"]) for p in found["points"]] == [
        ("dense", 0), ("ticket", 1), ("reinit", 1), ("ticket", 2), ("reinit", 2),
    ]  # fmt: skip
    assert {v["answer"] for v in found["verdicts"] if v["measure"] == "accuracy"} == {"better"}
    assert "Tickets against reinit" in found["summary"]
    problem(world.client.get("/v1/jobs/none/tickets"), 404, "no job 'none'")
    tried = world.get(f"/v1/jobs/{job_id}/candidates")["items"]
    assert {(c["origin"], c["init"]) for c in tried} == {
        ("dense", "scratch"), ("ticket", "rewound"), ("ticket_control", "scratch"),
    }  # fmt: skip


def test_which_network_to_take(world: World) -> None:
    job_id = world.submit()
    problem(world.client.get(f"/v1/jobs/{job_id}/choice", params={"most": 1}), 404, "no network yet")
    assert world.runner.run_one()
    front = world.get(f"/v1/jobs/{job_id}/pareto")["points"]
    best = max(front, key=lambda point: point["holdout"])
    found = world.get(f"/v1/jobs/{job_id}/choice", most=1e9)
    assert found["point"]["arm"] == best["arm"]
    assert found["architecture"] in best["architectures"]
    least = min(point["params"] for point in front)
    assert world.get(f"/v1/jobs/{job_id}/choice", most=least)["params"] == least
    problem(world.client.get(f"/v1/jobs/{job_id}/choice", params={"most": least - 1}), 404, "the cheapest there has")
    for most in ("-1", "nan", "inf", "many", ""):
        problem(world.client.get(f"/v1/jobs/{job_id}/choice", params={"most": most}), 422, "most")
    problem(world.client.get(f"/v1/jobs/{job_id}/choice"), 422, "most")
    problem(world.client.get("/v1/jobs/x/choice", params={"most": 1}), 404, "no job")
