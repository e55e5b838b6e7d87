"""Webhooks: signed as receivers check it, sent until somebody answers, to nobody else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from espalier.app.work import messenger as module
from espalier.app.work.messenger import Messenger, messages, signature
from espalier.storage import jobs, notices
from espalier.storage.database import Database
from espalier.storage.tables import NoticeRow
from tests.storage.helpers import submit

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests").decode()


class Receiver:
    """A web server that writes down what it is told, and answers as it is set to."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.told.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/told"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


def ended(database: Database, url: str) -> str:
    """A job with an address, that has ended."""
    id = submit(database, [])
    with database.session() as session:
        job = jobs.get(session, id)
        job.spec, job.name = job.spec | {"webhook": url}, "a search"
    with database.session() as session:
        jobs.cancel(session, id)
    return id


def waiting(database: Database) -> int:
    with database.session() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(NoticeRow)) or 0


def test_who_is_told_can_see_that_it_was_us(database: Database, receiver: Receiver) -> None:
    id = ended(database, receiver.url)
    assert Messenger(database, SECRET).send_one()
    ((headers, body),) = receiver.told
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = hmac.new(b"a secret of the tests", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    told = json.loads(body)
    assert told["type"] == "job.cancelled"
    assert told["data"] == {
        "id": id, "name": "a search", "state": "cancelled", "error": None, "done": 0, "failed": 0
    }  # fmt: skip
    assert waiting(database) == 0
    assert not Messenger(database, SECRET).send_one(), "nobody is told twice"


def test_a_plain_secret_is_taken_as_it_is() -> None:
    """The example of https://www.standardwebhooks.com holds for the other kind."""
    id, moment, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    assert signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", id, moment, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )
    assert signature("plain and simple", id, moment, body) != signature("plain and simply", id, moment, body)


@pytest.mark.parametrize("status", [500, 404, 301])
def test_what_is_not_answered_well_is_sent_again(database: Database, receiver: Receiver, status: int) -> None:
    ended(database, receiver.url)
    receiver.status = status
    receiver.headers = {"Location": receiver.url} if status == 301 else {}
    sender = Messenger(database, SECRET)
    assert sender.send_one()
    assert waiting(database) == 1
    assert len(receiver.told) == 1, "and it follows nobody elsewhere"
    assert not sender.send_one(), "not at once"
    with database.session() as session:
        session.execute(sa.update(NoticeRow).values(due_at=NoticeRow.ended_at))
    receiver.status = 200
    assert sender.send_one()
    assert waiting(database) == 0
    assert receiver.told[0][0]["webhook-id"] == receiver.told[1][0]["webhook-id"]


def test_nobody_there_stops_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "LATER", ())
    ended(database, "http://127.0.0.1:9/closed")
    assert Messenger(database, SECRET).send_one()
    assert waiting(database) == 0, "given up in the end"


@contextmanager
def impatient(monkeypatch: pytest.MonkeyPatch, sender: Messenger) -> Iterator[None]:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    with messages(sender):
        yield


def test_it_runs_beside_the_runner_and_outlives_a_database_that_is_away(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim: Callable[..., Any] = notices.claim
    refused = [sa.exc.OperationalError("", {}, Exception("away"))] * 3

    def unreliable(session: Any) -> Any:
        if refused:
            raise refused.pop()
        return claim(session)

    monkeypatch.setattr(notices, "claim", unreliable)
    with impatient(monkeypatch, Messenger(database, SECRET)):
        ended(database, receiver.url)
        deadline = time.monotonic() + 20
        while not receiver.told:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert not refused
