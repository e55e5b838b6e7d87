"""Tells addresses that their jobs have ended, signed as https://www.standardwebhooks.com says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
from sqlalchemy.exc import SQLAlchemyError

from espalier.search.spec import JobSpec
from espalier.storage import candidates, jobs, notices
from espalier.storage.database import Database
from espalier.storage.errors import StorageError
from espalier.storage.tables import NoticeRow

log = logging.getLogger("espalier.messenger")

IDLE_SECONDS = 1.0
TIMEOUT = 10.0
"""Seconds for an answer, of which nothing but its status is read."""


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature` of a message. A secret that begins with `whsec_` is base64 after that."""
    encoded = secret.removeprefix("whsec_")
    key = base64.b64decode(encoded) if encoded != secret else secret.encode()
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class Messenger:
    """Sends what is due, one at a time. What was not answered with a 2xx is sent again, later and later, for a day; who
    is told knows by `webhook-id` what he was told before."""

    def __init__(self, database: Database, secret: str) -> None:
        self._database, self._secret = database, secret
        self._stopping = threading.Event()
        self._http = httpx2.Client(timeout=TIMEOUT, follow_redirects=False)  # which may lead to where nobody allowed

    def send_one(self) -> bool:
        """Tell of the end that is due first; whether there was one."""
        with self._database.session() as session:
            notice = notices.claim(session)
            if notice is None:
                return False
            job = jobs.get(session, notice.job_id)
            url = JobSpec.read(job.spec).webhook
            progress = candidates.progress(session, [job.id]).get(job.id)
            body = {
                "type": f"job.{notice.state}",
                "timestamp": notice.ended_at.isoformat(),
                "data": {
                    "id": job.id,
                    "name": job.name,
                    "state": notice.state,
                    "error": job.error,
                    "done": progress.done if progress else 0,
                    "failed": progress.failed if progress else 0,
                },
            }
        problem = self._post(str(url), f"{notice.job_id}-{notice.id}", body)
        with self._database.session() as session:
            self._settle(session, notice, problem)
        return True

    def _post(self, url: str, id: str, body: Mapping[str, Any]) -> str | None:
        """Why it did not arrive."""
        content, moment = json.dumps(body).encode(), int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(moment),
            "webhook-signature": signature(self._secret, id, moment, content),
        }
        try:
            with self._http.stream("POST", url, content=content, headers=headers) as response:
                return None if response.is_success else f"it answered {response.status_code}"
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return f"{type(error).__name__}: {error}"

    def _settle(self, session: Any, notice: NoticeRow, problem: str | None) -> None:
        if problem is None:
            notices.settle(session, notice.id)
            return
        wait = notices.postpone(session, notice)
        again = f"tried again in {wait}" if wait else "given up"
        log.warning("the webhook of job %s did not arrive, %s: %s", notice.job_id, again, problem)

    def run_forever(self) -> None:
        """Until `stop`."""
        while not self._stopping.is_set():
            try:
                if not self.send_one():
                    self._stopping.wait(IDLE_SECONDS)
            except (SQLAlchemyError, StorageError) as error:
                log.warning("the database does not say what is to be told: %s", error)
                self._stopping.wait(10 * IDLE_SECONDS)

    def stop(self) -> None:
        """Let it end."""
        self._stopping.set()


@contextmanager
def messages(messenger: Messenger) -> Iterator[None]:
    """A messenger in a thread of its own, for as long as the context lasts."""
    thread = threading.Thread(target=messenger.run_forever, name="messenger", daemon=True)
    thread.start()
    try:
        yield
    finally:
        messenger.stop()
        thread.join(timeout=TIMEOUT)
