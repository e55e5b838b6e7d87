"""Where a service is reached."""

from __future__ import annotations

import pytest

from espalier.app.addresses import is_loopback, names_of


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.org", False), ("", False),
        ("localhost.example.org", False), ("127.0.0.1.example.org", False),
    ],
)  # fmt: skip
def test_only_loopback_addresses_reach_this_machine_alone(host: str, here: bool) -> None:
    assert is_loopback(host) is here


def test_on_this_machine_a_service_has_this_machines_names_and_no_others() -> None:
    assert names_of("127.0.0.1", frozenset()) == {"localhost", "127.0.0.1", "::1"}
    assert names_of("127.0.0.2", frozenset({"lab"})) == {"localhost", "127.0.0.1", "::1", "127.0.0.2", "lab"}


def test_elsewhere_it_has_those_that_were_set_or_any() -> None:
    assert names_of("0.0.0.0", frozenset()) is None
    assert names_of("0.0.0.0", frozenset({"lab"})) == {"lab"}
