"""Tools for agents: they read; what costs hours is planned, shown and sealed first."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import mcp
import pytest

from espalier.app.client.agents import make_server
from espalier.app.client.client import Client
from tests.app.world import SPEC, World


def told(client: Client, *calls: tuple[str, dict[str, Any]], may_submit: bool = False) -> list[Any]:
    """What the tools answer, in one conversation; of an error, its words."""

    async def talk() -> list[Any]:
        async with mcp.Client(make_server(client, may_submit)) as agent:
            results = [await agent.call_tool(name, arguments) for name, arguments in calls]
            texts = ["".join(getattr(part, "text", "") for part in one.content) for one in results]
            return [text if one.is_error else json.loads(text) for one, text in zip(results, texts, strict=True)]

    return asyncio.run(talk())


def names(client: Client, may_submit: bool) -> set[str]:
    async def talk() -> set[str]:
        async with mcp.Client(make_server(client, may_submit)) as agent:
            return {tool.name for tool in (await agent.list_tools()).tools}

    return asyncio.run(talk())


def test_they_only_read_unless_they_are_allowed_more(client: Client) -> None:
    reading, all = names(client, False), names(client, True)
    assert all - reading == {"submit_search", "cancel_job"}
    assert {"get_verdict", "get_front", "plan_search"} <= reading


def test_what_they_tell_is_what_the_service_says(world: World, client: Client) -> None:
    job = world.finish(name="a search")
    jobs, one, verdict, front, patterns, taken, catalog = told(
        client, ("list_jobs", {}), ("get_job", {"job": job}), ("get_verdict", {"job": job}),
        ("get_front", {"job": job, "cost": "macs"}), ("get_patterns", {"job": job}),
        ("choose_network", {"job": job, "most": 1e9}), ("list_catalog", {"kind": "methods"}),
    )  # fmt: skip
    assert [found["id"] for found in jobs["jobs"]] == [job]
    assert one["name"] == "a search"
    assert verdict == world.get(f"/v1/jobs/{job}/verdict")
    assert front["cost"] == "macs"
    assert patterns == world.get(f"/v1/jobs/{job}/pattern")
    assert taken == world.get(f"/v1/jobs/{job}/choice", most=1e9)
    assert "slimming" in {found["name"] for found in catalog["items"]}


def test_what_the_service_refuses_is_an_error_with_its_words(client: Client) -> None:
    (missing,) = told(client, ("get_job", {"job": "x"}))
    assert "no job 'x'" in missing


def test_a_search_is_planned_before_it_is_submitted(world: World, client: Client) -> None:
    plan, unsealed, changed = told(
        client, ("plan_search", {"spec": SPEC}), ("submit_search", {"spec": SPEC, "seal": ""}),
        ("submit_search", {"spec": SPEC | {"seeds": [0, 1, 2]}, "seal": "x"}), may_submit=True,
    )  # fmt: skip
    assert plan["trainings"] == 11
    assert "uniform params=0.1 seed 0" in plan["labels"]
    for refused in (unsealed, changed):
        assert "not the seal of this spec's plan" in refused
    assert world.get("/v1/jobs")["items"] == []
    job, again = told(client, *[("submit_search", {"spec": SPEC, "seal": plan["seal"]})] * 2, may_submit=True)
    assert job["id"] == again["id"], "told twice, started once"
    (cancelled,) = told(client, ("cancel_job", {"job": job["id"]}), may_submit=True)
    assert cancelled["state"] == "cancelled"


def test_another_plan_has_another_seal(client: Client) -> None:
    plans = told(client, *(("plan_search", {"spec": SPEC | {"seeds": seeds}}) for seeds in ([0, 1], [0, 2], [0, 1])))
    first, second, third = (plan["seal"] for plan in plans)
    assert first == third != second


@pytest.mark.parametrize("spec", [{}, {"target": 3}])
def test_a_spec_that_cannot_work_is_said_to_be_none(spec: dict[str, Any], client: Client) -> None:
    (refused,) = told(client, ("plan_search", {"spec": spec}))
    assert "target" in refused


def test_the_command_serves_them_to_another_process(world: World, client: Client) -> None:
    job = world.finish()
    words = ["-m", "espalier.app.client.cli", "mcp", "--url", client.url, "--token", "secret"]

    async def talk() -> Any:
        async with mcp.Client(mcp.StdioServerParameters(command=sys.executable, args=words)) as agent:
            return await agent.call_tool("get_verdict", {"job": job})

    assert world.get(f"/v1/jobs/{job}/verdict")["summary"] in asyncio.run(talk()).content[0].text
