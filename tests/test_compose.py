"""`docker-compose.yml`, as far as it can be tried without Docker: what it says, and its commands run by hand."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from sqlalchemy import make_url

from espalier.app.settings import Settings
from espalier.app.work.executors import EXECUTORS
from espalier.app.work.executors.base import Task
from tests.app.conftest import world
from tests.app.work.executors import work
from tests.app.world import World, listening

__all__ = ["world"]

COMPOSE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
BIN = Path(sys.executable).parent


def meant(text: str, said: dict[str, str]) -> str:
    """A value as Docker reads it, with these variables set."""
    return re.sub(r"\$\{(\w+)(?::([-?])([^}]*))?\}", lambda m: said.get(m[1]) or (m[3] if m[2] == "-" else ""), text)


def test_it_names_what_there_is() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        volumes = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert volumes <= set(COMPOSE["volumes"]), name
    assert {name for name, one in SERVICES.items() if "profiles" not in one} == {"database", "api", "runner"}
    for name in ("api", "runner", "ray-head", "ray-worker"):
        assert (SERVICES[name]["read_only"], SERVICES[name]["cap_drop"]) == (True, ["ALL"]), name


@pytest.mark.parametrize(
    "said", [{}, {"ESPALIER_STORE": "s3://espalier/service", "ESPALIER_EXECUTOR": "ray", "POSTGRES_PASSWORD": "other"}]
)
def test_its_settings_are_settings(said: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["api"]["environment"].items():
        monkeypatch.setenv(name, meant(value, {"ESPALIER_TOKEN": "long enough"[:4] * 3, **said}))
    settings = Settings()
    assert settings.executor in EXECUTORS
    url, database = make_url(settings.url), SERVICES["database"]["environment"]
    assert (url.host, url.username) == ("database", database["POSTGRES_USER"])
    assert url.password == meant(database["POSTGRES_PASSWORD"], said)
    assert settings.store_url.startswith("s3://" if said else "/")


def test_its_services_are_commands() -> None:
    command, *arguments = SERVICES["api"]["command"]
    told = subprocess.run([BIN / command, *arguments, "--help"], capture_output=True, text=True, check=True)
    assert "Usage" in told.stdout


@pytest.mark.parametrize(("executor", "joins"), [("local", False), ("ray", True)])
def test_a_runner_of_ray_is_on_a_machine_of_the_cluster(executor: str, joins: bool, tmp_path: Path) -> None:
    """Both commands are replaced by ones that say how they were called."""
    for name in ("ray", "espalier"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    command = [word.replace("$$", "$") for word in SERVICES["runner"]["command"]]
    said = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ESPALIER_EXECUTOR": executor, "RAY_ADDRESS": "ray-head:6379"}
    told = subprocess.run(command, env=said, capture_output=True, text=True, check=True).stdout.splitlines()
    assert told == [*(["ray start --address=ray-head:6379 --num-cpus=0"] if joins else []), "espalier runner"]


def test_the_api_is_well_where_its_health_check_says_so(world: World) -> None:
    _, _, flag, code = SERVICES["api"]["healthcheck"]["test"]
    with listening(world.client.app) as url:
        for is_well in (False, True):
            here = code.replace("http://127.0.0.1:8000", url)
            assert (subprocess.run([sys.executable, flag, here], capture_output=True).returncode == 0) is is_well
            world.finish()  # with a runner that says that it lives


@pytest.fixture
def ray_of_compose(ray_settings: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The head and one worker, by their own commands, but for the port; where they are."""
    del ray_settings
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    head = [word.replace("6379", str(port)) for word in SERVICES["ray-head"]["command"]]
    health = [word.replace("6379", str(port)) for word in SERVICES["ray-head"]["healthcheck"]["test"][1:]]
    worker = [word.replace("ray-head:6379", f"127.0.0.1:{port}") for word in SERVICES["ray-worker"]["command"]]
    for name, value in SERVICES["ray-head"]["environment"].items():
        monkeypatch.setenv(name, meant(value, dict(os.environ)))
    running = [subprocess.Popen([BIN / head[0], *head[1:]], stdout=subprocess.DEVNULL)]
    try:
        deadline = time.monotonic() + 60
        while subprocess.run([BIN / health[0], *health[1:]], capture_output=True).returncode:
            assert time.monotonic() < deadline, "the head does not become healthy"
        running.append(subprocess.Popen([BIN / worker[0], *worker[1:]], stdout=subprocess.DEVNULL))
        yield f"127.0.0.1:{port}"
    finally:
        below = [child for one in running for child in psutil.Process(one.pid).children(recursive=True)]
        for process in running:
            process.terminate()
        psutil.wait_procs(below, 20)
        for left in psutil.wait_procs(below, 0)[1]:
            left.kill()
        for process in running:
            process.wait(20)


@pytest.mark.long
def test_its_ray_cluster_runs_tasks(ray_of_compose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", ray_of_compose)
    executor = EXECUTORS["ray"](None)
    try:
        deadline = time.monotonic() + 60
        while executor.slots(1, False) < (os.cpu_count() or 1):
            assert time.monotonic() < deadline, "the worker does not come"
            time.sleep(0.2)
        assert executor.submit(Task(work.double, (2,))).result(60) == 4
    finally:
        executor.shutdown()
