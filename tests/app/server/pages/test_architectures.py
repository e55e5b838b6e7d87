"""Architectures as pages."""

from __future__ import annotations

from fastapi.testclient import TestClient

from espalier.models.cost import cost
from espalier.models.network import dense
from espalier.storage import candidates
from tests.app.server.pages.test_jobs import text
from tests.app.world import World
from tests.search.helpers import result


def found(world: World, **wanted: str) -> list[str]:
    """Ids of architectures."""
    return [one["id"] for one in world.get("/v1/architectures", **wanted)["items"]]


def test_those_that_were_found_are_listed_and_looked_for(world: World, browser: TestClient) -> None:
    assert "None yet" in text(browser, "/architectures")
    world.finish()
    page = text(browser, "/architectures", sort="params")
    assert all(f"/architectures/{id}" in page for id in found(world))
    assert "None yet" in text(browser, "/architectures", arch="resnet20")
    text(browser, "/architectures", 422, sort="beauty")


def trained(world: World, arch: str = "vgg11", **widths: int) -> str:
    """A real architecture that a job has a result of."""
    config = dense(arch, 10, (1, 32, 32))
    config = config.model_copy(update={"widths": {**config.widths, "features.0": 7, **widths}})
    job = world.submit(target={"arch": arch, "dataset": "digits"})
    with world.service.database.session() as session:
        one = candidates.candidate_of(candidates.rows(session, job)[1])
        candidates.write(session, job, result(one, 0.9, config=config, cost=cost(config)))
    return config.id


def test_one_shows_its_channels_layers_results_and_exports(world: World, browser: TestClient) -> None:
    id = trained(world)
    view = world.get(f"/v1/architectures/{id}")
    page = text(browser, f"/architectures/{id}")
    for layer in view["layers"]:
        assert layer["layer"] in page
    for one in view["results"]:
        assert one["label"] in page
        assert f"/jobs/{one['job']}" in page
    for format in ("json", "python", "onnx"):
        assert f"/v1/architectures/{id}/export?format={format}" in page
    assert "features.0: 7 of 64" in page, "bars say how many channels stay of how many"
    assert text(browser, f"/architectures/{id[:8]}") == page
    text(browser, "/architectures/x", 404)


def test_two_stand_side_by_side_where_they_are_of_one_network(world: World, browser: TestClient) -> None:
    one, other, foreign = trained(world), trained(world, **{"features.4": 9}), trained(world, "vgg13")
    both = text(browser, f"/architectures/{one}", beside=other[:10])
    assert "features.4: 128, 9 of 128" in both
    assert other[:10] in both
    assert "no architecture" in text(browser, f"/architectures/{one}", beside="x").lower()
    assert "other layers" in text(browser, f"/architectures/{one}", beside=foreign)
