"""Tokens beside the service's own: who has one, what it may, and until when. Kept as hashes alone."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.storage.clock import now
from espalier.storage.errors import NotFound, WrongState
from espalier.storage.roles import Role
from espalier.storage.tables import TokenRow

BYTES = 24
"""Drawn for each: too many to be guessed, so a plain hash hides them."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,99}")


def hashed(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(session: Session, name: str, role: Role) -> str:
    """Make a token, which is never shown again. Raises WrongState if the name is taken or none."""
    if not _NAME.fullmatch(name):
        raise WrongState(f"{name[:100]!r} is no name: letters, digits, spaces and . _ @ - are, at most 100 of them")
    if session.scalar(sa.select(TokenRow.id).where(TokenRow.name == name)):
        raise WrongState(
            f"there is a token {name!r} already, or was; give another name, so that it is clear whose is whose"
        )
    token = secrets.token_urlsafe(BYTES)
    session.add(TokenRow(id=secrets.token_hex(8), name=name, role=role, hash=hashed(token), created_at=now()))
    return token


def listing(session: Session) -> Sequence[TokenRow]:
    """All of them, the oldest first, revoked ones too."""
    return session.scalars(sa.select(TokenRow).order_by(TokenRow.created_at, TokenRow.name)).all()


def revoke(session: Session, name: str) -> None:
    """Let a token open nothing from now on; its name stays taken. Raises NotFound."""
    known = sa.update(TokenRow).where(TokenRow.name == name, TokenRow.revoked_at.is_(None))
    if not session.execute(known.values(revoked_at=now())).rowcount:  # type: ignore[attr-defined]
        there = ", ".join(row.name for row in listing(session) if row.revoked_at is None) or "none"
        raise NotFound(f"no token {name!r} that is valid; there are: {there}")


def find(session: Session, token: str) -> TokenRow | None:
    """The valid token that this is."""
    return session.scalar(sa.select(TokenRow).where(TokenRow.hash == hashed(token), TokenRow.revoked_at.is_(None)))


def with_id(session: Session, id: str) -> TokenRow | None:
    """A valid token by its id."""
    return session.scalar(sa.select(TokenRow).where(TokenRow.id == id, TokenRow.revoked_at.is_(None)))
