"""The application as a whole: its description and its pages."""

from __future__ import annotations

import json
import re

from espalier.search.version import VERSION
from tests.app.world import World


def test_the_document_describes_every_route_and_error(world: World) -> None:
    document = world.get("/openapi.json")
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["operationId"], f"{method} {path}"
            assert operation["summary"] or operation["description"]
            for status, response in operation["responses"].items():
                if status.startswith(("4", "5")):
                    assert "application/problem+json" in response["content"], f"{method} {path} {status}"
            if path.startswith("/v1"):
                assert "401" in operation["responses"]
    ids = [o["operationId"] for operations in document["paths"].values() for o in operations.values()]
    assert len(ids) == len(set(ids))


def test_it_says_which_release_it_is(world: World) -> None:
    document = world.get("/openapi.json")
    assert document["info"]["version"] == VERSION
    assert document["info"]["title"] == "Espalier"


def test_a_spec_is_described_where_one_is_taken(world: World) -> None:
    document = world.get("/openapi.json")
    for path in ("/v1/jobs", "/v1/jobs/plan"):
        body = document["paths"][path]["post"]["requestBody"]
        assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/JobSpec"}
    spec = document["components"]["schemas"]["JobSpec"]
    assert {"target", "methods", "budgets", "planner", "minimum_keep"} <= set(spec["properties"])


def test_every_reference_of_the_document_leads_somewhere(world: World) -> None:
    document = world.get("/openapi.json")
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document))):
        assert name in document["components"]["schemas"]
