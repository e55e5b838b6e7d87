"""Tools for agents: the same questions that people ask of a service, over the Model Context Protocol (the extra `mcp`).

They read. Where it was allowed at the start, they also submit, but only a search whose plan was shown before: whoever
submits gives the seal that came with it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from espalier.app.client.client import Client, ClientError
from espalier.app.schemas import PlanView
from espalier.models.document import content_hash
from espalier.search.answers.values import CostName
from espalier.search.spec import JobSpec
from espalier.search.version import VERSION

MOST = 50
"""Items that a list gives at most."""
INSTRUCTIONS = """Espalier treats pruning as architecture search. It trains a network with sparsity, reads off how many
channels each layer deserves, trains that from scratch, and holds it against uniform and random widths at the same
measured cost. Read a job's verdict before its front; 'undecided' is an answer. Accuracies are fractions, costs are
integers."""
Spec = dict[str, Any]


def make_server(client: Client, may_submit: bool = False) -> MCPServer:
    """Tools that read through this client, and that submit and cancel if they may."""
    server = MCPServer("espalier", instructions=INSTRUCTIONS, version=VERSION)
    for tool in (*_reading(client), *(_changing(client) if may_submit else ())):
        server.tool()(_telling(tool))
    return server


def _telling(tool: Callable[..., Any]) -> Callable[..., Any]:
    """The tool, which tells what was wrong: of an error of any other kind an agent would hear nothing."""

    @functools.wraps(tool)
    def told(*values: Any, **named: Any) -> Any:
        try:
            return tool(*values, **named)
        except ClientError as error:
            raise ToolError(str(error)) from error

    return told


def _reading(client: Client) -> list[Callable[..., Any]]:
    def list_jobs(state: str | None = None) -> Any:
        """The newest jobs; state is queued, running, paused, succeeded, failed or cancelled."""
        heads = {"id", "name", "state", "progress", "created_at", "error"}
        found = [job.model_dump(mode="json", include=heads) for job in client.jobs(MOST, state)]
        return {"jobs": found}

    def get_job(job: str) -> Any:
        """One job: what was submitted, and how far it is."""
        return client.job(job).model_dump(mode="json")

    def get_verdict(job: str) -> Any:
        """Whether automatic widths were better than the baselines, by budget, with intervals, and in one sentence."""
        return client.verdict(job).model_dump(mode="json")

    def get_front(job: str, cost: CostName = "params") -> Any:
        """Accuracy against params, macs or latency, means over seeds; each point has the id of its architecture."""
        return client.pareto(job, cost).model_dump(mode="json")

    def choose_network(job: str, most: float, cost: CostName = "params") -> Any:
        """Which network to take if it may cost at most so much: on the front, and best on the hold-out."""
        return client.choose(job, most, cost).model_dump(mode="json")

    def get_patterns(job: str) -> Any:
        """How much of each stage's channels the methods of a job keep."""
        return client.patterns(job).model_dump(mode="json")

    def get_architecture(architecture: str) -> Any:
        """Channels, cost by layer, and results of one architecture, by its id or the beginning of it."""
        return client.architecture(architecture).model_dump(mode="json")

    def list_catalog(kind: str) -> Any:
        """What there is to ask for: architectures, datasets, methods, arms, planners, tasks or exports. Of networks
        from packages, which are many, the names alone."""
        found = client.catalog(kind)
        told = [one.model_dump(mode="json", exclude_none=True) for one in found if "/" not in one.name]
        return {"items": told, "from_packages": [one.name for one in found if "/" in one.name]}

    def plan_search(spec: Spec) -> Any:
        """What a search would run and cost, without running it. `spec` is a job spec; its least is
        {"target": {"arch": ..., "dataset": ...}}. The seal is needed to submit just this."""
        return _planned(client, spec)

    return [
        list_jobs,
        get_job,
        get_verdict,
        get_front,
        choose_network,
        get_patterns,
        get_architecture,
        list_catalog,
        plan_search,
    ]


def _changing(client: Client) -> list[Callable[..., Any]]:
    def submit_search(spec: Spec, seal: str) -> Any:
        """Start a search whose plan was shown to, and confirmed by, whoever pays for it. `seal` came with that plan."""
        if seal != _planned(client, spec)["seal"]:
            raise ToolError(
                "this is not the seal of this spec's plan: call plan_search with the same spec, show what it would "
                "run, and submit it with that seal"
            )
        return client.submit(spec, idempotency_key=seal).model_dump(mode="json")

    def cancel_job(job: str) -> Any:
        """Stop a job; its finished results stay."""
        return client.cancel(job).model_dump(mode="json")

    return [submit_search, cancel_job]


def _planned(client: Client, spec: Spec) -> dict[str, Any]:
    plan = client.plan(spec)
    return {
        "trainings": len(plan.candidates),
        "trainings_at_most": plan.most or len(plan.candidates),
        "epochs": plan.epochs,
        "multiply_adds": plan.macs,
        "dense": plan.dense.model_dump(mode="json"),
        "labels": [one.label for one in plan.candidates[:MOST]],
        "seal": _seal(spec, plan),
    }


def _seal(spec: Spec, plan: PlanView) -> str:
    """Names this spec with this plan."""
    meant = JobSpec.model_validate(spec).model_dump(mode="json")
    return content_hash({"spec": meant, "candidates": [one.key for one in plan.candidates]})
