"""Where a service is reached."""

from __future__ import annotations

import ipaddress

THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names that a machine has for itself."""


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_of(host: str, others: frozenset[str]) -> frozenset[str] | None:
    """Under which names a service is reached that listens on `host`; None: whatever names its machine has."""
    if is_loopback(host):
        return THIS_MACHINE | {host} | others
    return others or None
