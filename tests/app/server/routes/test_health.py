"""Up, ready, and what keeps it from being so."""

from __future__ import annotations

from tests.app.world import World, problem


def test_readiness_says_what_is_missing(world: World) -> None:
    problem(world.client.get("/readyz"), 503, "no runner is alive")
    world.runner.run_one()
    assert world.get("/readyz") == {"status": "ok"}
    with world.service.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE espalier_version SET version_num = '0'")
    problem(world.client.get("/readyz"), 503, "not migrated")


def test_it_is_up_without_a_token_or_a_database(world: World) -> None:
    with world.service.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE jobs RENAME TO gone")
    answer = world.client.get("/healthz", headers={"Authorization": ""})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_metrics_are_prometheus_text(world: World) -> None:
    answer = world.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE espalier_jobs gauge" in answer.text
