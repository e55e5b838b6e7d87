"""Links of the OpenAPI document: they lead to operations there are, by places that answers have."""

from __future__ import annotations

from typing import Any

from espalier.app.server.links import links
from tests.app.world import World


def test_a_link_says_where_the_parameter_stands() -> None:
    (link,) = links("job_id", "items/0/id", "get_job")["links"].values()
    assert link == {"operationId": "get_job", "parameters": {"job_id": "$response.body#/items/0/id"}}


def test_every_link_leads_to_an_operation_that_takes_what_is_given(world: World) -> None:
    world.finish()
    document = world.get("/openapi.json")
    operations = {one["operationId"]: (path, one) for path, all in document["paths"].items() for one in all.values()}
    answers = {"/v1/jobs": world.get("/v1/jobs"), "/v1/architectures": world.get("/v1/architectures")}
    followed = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for response in operation["responses"].values():
                for link in response.get("links", {}).values():
                    target, described = operations[link["operationId"]]
                    ((name, place),) = link["parameters"].items()
                    assert name in {parameter["name"] for parameter in described["parameters"]}
                    if method == "get" and path in answers:
                        found = _at(answers[path], place.removeprefix("$response.body#/"))
                        assert world.client.get(target.replace(f"{{{name}}}", found)).status_code != 404
                        followed += 1
    assert followed > 5


def _at(body: Any, place: str) -> Any:
    for step in place.split("/"):
        body = body[int(step)] if step.isdecimal() else body[step]
    return body
