"""Connections that say nothing keep nobody out."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
import uvicorn

from espalier.app.server.connections import Connection, listening_options
from tests.app.world import World

HALF = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


class Impatient(Connection):
    """With little patience, and room for few."""

    head_seconds = 0.5
    most = 20
    waiting = {}  # noqa: RUF012


@pytest.fixture
def port(world: World) -> Iterator[int]:
    """Of a server of such connections."""
    server = uvicorn.Server(uvicorn.Config(world.client.app, port=0, log_config=None, ws="none", http=Impatient))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join(20)


def connected(port: int, words: bytes = HALF) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 5)
    connection.sendall(words)
    return connection


def is_closed(connection: socket.socket) -> bool:
    try:
        while connection.recv(4096):
            pass
        return True
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("words", [b"", b"G", HALF])
def test_a_request_that_does_not_come_is_not_waited_for(port: int, words: bytes) -> None:
    with connected(port, words) as connection:
        assert is_closed(connection)


def test_nor_one_that_comes_drop_by_drop(port: int) -> None:
    with connected(port) as connection, pytest.raises(OSError):
        for _ in range(40):
            connection.sendall(b"X-More: x\r\n")
            time.sleep(0.1)


def test_nor_a_second_one(port: int) -> None:
    with connected(port, HALF + b"\r\n") as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(HALF)
        assert is_closed(connection)


def test_whoever_asks_gets_in_though_others_wait(port: int) -> None:
    silent = []
    for _ in range(60):
        silent.append(connected(port))
        assert httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    assert is_closed(silent[0])
    for one in silent:
        one.close()


def test_connections_with_answers_on_the_way_are_kept(port: int) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            assert client.get("/healthz").status_code == 200
            time.sleep(0.3)  # together longer than a head may take


def test_half_of_all_descriptors_are_for_connections() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        options = listening_options()
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert options["http"].most == most // 2
    assert options["backlog"] + options["http"].most < most
