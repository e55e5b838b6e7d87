"""The token: asked for first, compared whole, and nothing is never it."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from espalier.app.server import auth
from espalier.app.server.auth import Caller, cookie_name, is_token, needed, signed_in
from espalier.app.server.main import create_app
from espalier.storage import tokens
from espalier.storage.roles import ROLES, Role
from tests.app.world import SPEC, World, problem


def test_everything_but_health_and_docs_wants_the_token(world: World) -> None:
    routes = list(world.client.app.openapi()["paths"].items())  # type: ignore[attr-defined]
    open_to_all = {"/healthz", "/readyz"}
    for path, operations in routes:
        for method in operations:
            for headers in (
                {"Authorization": ""},
                {"Authorization": "Bearer wrong"},
                {"Authorization": "Basic secret"},
            ):
                answer = world.client.request(method, path.replace("{", "").replace("}", ""), headers=headers)
                if path in open_to_all:
                    assert answer.status_code != 401
                else:
                    assert problem(answer, 401)["detail"].endswith("send 'Authorization: Bearer <token>'")
                    assert answer.headers["www-authenticate"] == "Bearer"
    assert world.client.get("/openapi.json", headers={"Authorization": ""}).status_code == 401


def test_an_empty_token_opens_nothing(world: World) -> None:
    world.service.token = ""
    client = TestClient(create_app(world.service))
    problem(client.get("/v1/jobs", headers={"Authorization": ""}), 401)
    problem(client.get("/v1/jobs", headers={"Authorization": "Bearer "}), 401)


def test_the_token_is_asked_for_before_the_body_is_read(world: World) -> None:
    wrong = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
    for content in (b"{", b" " * (2 * 1024 * 1024)):
        problem(world.client.post("/v1/jobs", content=content, headers=wrong), 401)


@pytest.mark.parametrize(
    ("token", "offered", "same"),
    [("secret", "secret", True), ("secret", "Secret", False), ("secret", "secre", False), ("secret", None, False),
     ("secret", "", False), ("", "", False), ("", None, False), ("é✓", "é✓", True)],
)  # fmt: skip
def test_nothing_is_never_the_token(token: str, offered: str | None, same: bool) -> None:
    assert is_token(token, offered) is same


def test_only_static_files_stand_beside_the_open_pages(world: World) -> None:
    for path in ("/static", "/staticky/x", "/docs/", "/healthz/x", "//v1/jobs"):
        problem(world.client.get(path, headers={"Authorization": ""}), 401)


def test_a_cookie_belongs_to_one_port_and_is_not_the_token() -> None:
    def name(port: int) -> str:
        return cookie_name({"type": "http", "server": ("127.0.0.1", port)})

    assert name(8000) != name(8001)
    assert signed_in("secret") != signed_in("Secret")
    assert "secret" not in signed_in("secret")


# --- tokens with names ------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _is_asked_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", -1.0)


def made(world: World, name: str, role: Role) -> TestClient:
    """Somebody with a token of his own."""
    with world.service.database.session() as session:
        token = tokens.create(session, name, role)
    return TestClient(world.client.app, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False)


def revoked(world: World, name: str) -> None:
    with world.service.database.session() as session:
        tokens.revoke(session, name)


def test_of_every_route_a_reader_may_ask_what_changes_nothing(world: World) -> None:
    """So a new route that changes something cannot forget to ask for more."""
    reader, submitter = made(world, "reader", "read"), made(world, "submitter", "submit")
    reads_by_post = {"/v1/jobs/plan", "/v1/patterns/{pattern_id}/apply"}
    seen = set()
    for path, operations in world.client.app.openapi()["paths"].items():  # type: ignore[attr-defined]
        for method in operations:
            place = path.replace("{", "").replace("}", "")
            answer = reader.request(method, place)
            if method == "get" or path in reads_by_post:
                assert answer.status_code not in (401, 403), (method, path)
            else:
                problem(answer, 403, "has the role read, and this takes submit")
                assert submitter.request(method, place).status_code not in (401, 403), (method, path)
                seen.add((method, path))
    assert ("post", "/v1/jobs") in seen
    assert ("delete", "/v1/jobs/{job_id}") in seen


@pytest.mark.parametrize("path", ["/jobs/x/cancel", "/jobs/x/retry", "/jobs/x/delete", "/anything/new"])
def test_whatever_is_posted_elsewhere_takes_more_than_reading(path: str) -> None:
    assert needed("POST", path) == "submit"
    assert needed("GET", path) == "read"


def test_jobs_are_changed_by_who_submitted_them_and_by_admins(world: World) -> None:
    ada, bob, root = made(world, "ada", "submit"), made(world, "bob", "submit"), made(world, "root", "admin")
    job = ada.post("/v1/jobs", json=SPEC).json()
    assert job["submitted_by"] == "ada"
    path = f"/v1/jobs/{job['id']}"
    assert bob.get(path).json() == job, "all is there to be looked at"
    for verb in ("cancel", "pause", "resume", "retry", "extend"):
        problem(bob.post(f"{path}/{verb}", json={"seeds": [9]}), 403, "was submitted by ada", "bob may change its own")
    problem(bob.delete(path), 403, "was submitted by ada")
    assert ada.post(f"{path}/cancel").status_code == 202
    assert ada.post(f"{path}/retry").status_code == 202
    assert root.post(f"{path}/cancel").status_code == 202
    assert ada.post(f"{path}/extend", json={"seeds": [9]}).status_code == 202
    assert world.client.post(f"{path}/cancel").status_code == 202, "the service's own token is an admin's"
    assert ada.delete(path).status_code == 204
    own = world.client.post("/v1/jobs", json=SPEC).json()
    assert own["submitted_by"] is None
    problem(ada.post(f"/v1/jobs/{own['id']}/cancel"), 403, "with the service's own token")


def test_only_an_admin_lets_a_job_go_before_those_of_others(world: World) -> None:
    ada, root = made(world, "ada", "submit"), made(world, "root", "admin")
    path = f"/v1/jobs/{ada.post('/v1/jobs', json=SPEC).json()['id']}/priority"
    assert ada.put(path, json={"priority": -1}).json()["priority"] == -1
    problem(ada.put(path, json={"priority": 1}), 403, "this takes admin")
    assert root.put(path, json={"priority": 1}).json()["priority"] == 1


def test_no_token_fills_the_queue_for_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.service, "settings", world.settings.model_copy(update={"max_queued_jobs_per_token": 1}))
    ada, bob = made(world, "ada", "submit"), made(world, "bob", "submit")
    job = ada.post("/v1/jobs", json=SPEC).json()["id"]
    assert ada.post(f"/v1/jobs/{job}/pause").status_code == 202
    problem(
        ada.post("/v1/jobs", json=SPEC),
        429,
        "1 jobs of ada wait, the most of one token is 1",
    )
    assert bob.post("/v1/jobs", json=SPEC).status_code == 202
    assert world.client.post("/v1/jobs", json=SPEC).status_code == 202, "the service's own token is not counted"


def test_a_revoked_token_opens_nothing(world: World) -> None:
    ada = made(world, "ada", "admin")
    assert ada.get("/v1/jobs").status_code == 200
    revoked(world, "ada")
    problem(ada.get("/v1/jobs"), 401, "a wrong token")


def test_what_a_token_is_is_remembered_for_a_moment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 60.0)
    monkeypatch.setattr(auth, "MOST_REMEMBERED", 3)
    ada = made(world, "ada", "read")
    assert ada.get("/v1/jobs").status_code == 200
    revoked(world, "ada")
    assert ada.get("/v1/jobs").status_code == 200
    for guess in ("x", "y", "z"):  # it is not remembered for ever, however many guess
        problem(world.client.get("/v1/jobs", headers={"Authorization": f"Bearer {guess}"}), 401)
    problem(ada.get("/v1/jobs"), 401)


def test_a_browser_signs_in_with_any_token_until_it_is_revoked(world: World) -> None:
    with world.service.database.session() as session:
        token = tokens.create(session, "ada", "read")
    browser = TestClient(world.client.app, headers={"Accept": "text/html"}, follow_redirects=False)
    assert browser.get(f"/sign-in?token={token}&next=/new").headers["location"] == "/new"
    (cookie,) = browser.cookies.values()
    assert token not in cookie
    assert browser.get("/").status_code == 200
    form = {
        "arch": "vgg11",
        "dataset": "digits",
        "methods": "slimming",
        "inits": "scratch",
        "budgets": "params=0.5",
        "seeds": "1",
    }
    assert browser.post("/new", data=form | {"what": "plan"}).status_code == 200
    refused = browser.post("/new", data=form | {"what": "submit"})
    assert (refused.status_code, "has the role read" in refused.text) == (403, True)
    page = browser.post("/jobs/x/cancel")
    assert page.status_code == 403
    assert "<h1>" in page.text
    revoked(world, "ada")
    assert browser.get("/").headers["location"].startswith("/sign-in?")


@pytest.mark.parametrize("cookie", ["", "x", ".", "x.y", "\u00e9.x", "a" * 5000, "%00.x"])
def test_a_made_up_cookie_opens_nothing(world: World, cookie: str) -> None:
    made(world, "ada", "admin")
    browser = TestClient(world.client.app, headers={"Accept": "text/html"}, follow_redirects=False)
    header = f"{cookie_name({'server': ('testserver', 80)})}={cookie}".encode()
    assert browser.get("/", headers={"Cookie": header}).status_code == 303


def test_who_reads_the_database_cannot_make_a_cookie(world: World) -> None:
    made(world, "ada", "admin")
    with world.service.database.session() as session:
        (row,) = tokens.listing(session)
    browser = TestClient(world.client.app, headers={"Accept": "text/html"}, follow_redirects=False)
    for secret in (row.hash, row.id, row.name, f" {row.hash}"):
        header = f"{cookie_name({'server': ('testserver', 80)})}={row.id}.{signed_in(secret)}"
        assert browser.get("/", headers={"Cookie": header}).status_code == 303


def test_a_cookie_is_no_token_and_a_token_no_cookie(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBERED_SECONDS", 60.0)
    with world.service.database.session() as session:
        token = tokens.create(session, "ada", "read")
    browser = TestClient(world.client.app, headers={"Accept": "text/html"}, follow_redirects=False)
    browser.get(f"/sign-in?token={token}")
    (cookie,) = browser.cookies.values()
    assert browser.get("/").status_code == 200
    assert world.client.get("/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    problem(world.client.get("/v1/jobs", headers={"Authorization": f"Bearer {cookie}"}), 401)
    stranger = TestClient(world.client.app, headers={"Accept": "text/html"}, follow_redirects=False)
    header = f"{cookie_name({'server': ('testserver', 80)})}={token}"
    assert stranger.get("/", headers={"Cookie": header}).status_code == 303


def test_a_database_that_does_not_answer_is_no_wrong_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = made(world, "ada", "read")

    def gone(*_: object) -> None:
        raise OperationalError("select", {}, Exception("the server closed the connection"))

    monkeypatch.setattr(tokens, "find", gone)
    answer = ada.get("/v1/jobs")
    problem(answer, 503, "does not answer")
    assert "retry-after" in answer.headers
    assert world.client.get("/v1/jobs").status_code == 200, "the service's own token needs no database"


def test_roles_hold_more_and_more() -> None:
    for place, role in enumerate(ROLES):
        assert [Caller("x", role).may(other) for other in ROLES] == [at <= place for at in range(len(ROLES))]
