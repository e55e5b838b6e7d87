"""Starting the service's processes: settings, logs, database, runner, HTTP server."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import uvicorn
from anyio import to_thread
from sqlalchemy.orm import Session

from espalier.app import logs
from espalier.app.addresses import names_of
from espalier.app.lanes import LONGEST_LINE
from espalier.app.server.connections import listening_options
from espalier.app.server.main import create_app
from espalier.app.service import Service, make_inspector, make_runner, single_runner_lock, token_of
from espalier.app.settings import SettingsError, load
from espalier.app.tracing import sent_to
from espalier.app.work.messenger import Messenger, messages
from espalier.app.work.runner import running
from espalier.storage import jobs
from espalier.storage.database import CONNECTIONS, Database, without_password
from espalier.storage.errors import StorageError

log = logging.getLogger("espalier")

GRACE_SECONDS = 2
"""For open streams to end, when the service is told to stop."""
THREADS = CONNECTIONS + 2 * LONGEST_LINE
"""That answer requests: those that wait in lanes leave enough for all others."""


def upgrade() -> None:
    """Bring the database up to date. Raises SettingsError if it cannot be used."""
    settings = load()
    with _told():
        database = Database(settings.url)
        database.upgrade()
        database.close()


@contextmanager
def session_here() -> Iterator[Session]:
    """The database that is set here, as the service left it. Raises SettingsError if there is none of this release."""
    settings = load()
    with _told():
        database = Database(settings.url)
    with closing(database):
        if not database.is_current():
            raise SettingsError(
                f"{without_password(settings.url)} is not there, or of another release: set ESPALIER_DATA_DIR or "
                "ESPALIER_DATABASE_URL as for the service, or run espalier upgrade"
            )
        with database.session() as session:
            yield session


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with the database is wrong with the setting that names it."""
    try:
        yield
    except StorageError as error:
        raise SettingsError(str(error)) from error


def serve(host: str, port: int, with_api: bool, with_runner: bool, auth: bool) -> None:
    """Run the parts until a signal ends them. Raises SettingsError."""
    settings = load()
    os.umask(0o077)  # specs, weights and the token are their owner's alone
    logs.configure(settings)
    with ExitStack() as stack, _told():
        stack.enter_context(sent_to(settings.traces_url))
        if with_runner and settings.url.startswith("sqlite"):  # PostgreSQL serves as many runners as there are
            stack.enter_context(single_runner_lock(settings.data_dir))
        token, made = token_of(settings) if auth and with_api else (None, False)
        service = Service(settings, make_inspector(), token, make_inspector(name="clerk"))
        stack.callback(service.close)
        if with_runner and service.database.is_sqlite and service.database.folder != settings.data_dir.resolve():
            stack.enter_context(single_runner_lock(service.database.folder))
        service.database.upgrade()
        if with_runner:
            runner = make_runner(settings)
            if service.database.is_sqlite:  # this process alone holds the file, so nobody runs these
                with service.database.session() as session:
                    jobs.reclaim(session)
            stack.enter_context(running(runner))
            if settings.webhook_hosts:
                stack.enter_context(messages(Messenger(service.database, settings.webhook_secret)))
        if with_api:
            service.warm_up()
            _listen(service, host, port, token if made else None)
        else:
            _wait_for_signal()


def end_with_parent() -> None:
    """Stop when standard input closes: whoever started this is gone, however it went."""

    def wait() -> None:
        while os.read(0, 4096):  # not through a buffer, which a process that ends would wait for
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _listen(service: Service, host: str, port: int, new_token: str | None) -> None:
    config = uvicorn.Config(
        create_app(service, names_of(host, service.settings.host_names)),
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # addresses may carry a token
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        **listening_options(),
    )
    server = _Server(config, service, new_token)
    # uvicorn repeats the signal that ended it; by default that would kill us before anything is put away
    signal.signal(signal.SIGTERM, _leave)
    try:
        server.run()
    except SystemExit as stop:
        if not server.started:  # uvicorn has said why
            raise SystemExit(1) from stop
        raise
    if not server.started:
        raise SystemExit(1)


class _Server(uvicorn.Server):
    """Says where it listens once it does, and tells open streams when to end."""

    def __init__(self, config: uvicorn.Config, service: Service, new_token: str | None) -> None:
        super().__init__(config)
        self._service, self._new_token = service, new_token

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            log.info("listening on http://%s:%d", host, port)
            gc.collect()
            gc.freeze()  # what was imported stays: a large answer need not have it looked through again and again
            # nor need the answer itself, while it grows: of thousands of results that is half the time
            gc.set_threshold(50_000, 20, 20)
            if self._new_token:
                print(f"open http://{host}:{port}/sign-in?token={self._new_token}", flush=True)  # noqa: T201

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let open streams end, then stop."""
        self._service.stopping = True
        await super().shutdown(sockets)


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(0 if number == signal.SIGTERM else 128 + number)


def _wait_for_signal() -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    log.info("runner started")
    stop.wait()
