"""What a store is: artifacts by the hash of what is in them, written once; checkpoints by name, written often; and
folders by name, for machines that cannot make them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from espalier.storage.errors import NotFound

_HASH = re.compile(r"[0-9a-f]{64}")
_CHECKPOINT = re.compile(r"[0-9a-z]+(/[0-9a-z]+)?")
NAME = r"^[0-9A-Za-z_][0-9A-Za-z_.-]*$"
"""Of a shared folder, and of the files in it."""


class Checkpoint(Protocol):
    """The state of a training, for as long as it runs."""

    @property
    def path(self) -> Path:
        """Where it is read and written; a file only if there is one to go on from."""

    def keep(self) -> None:
        """Let what was written last outlive this machine, as far as the store is elsewhere."""


class Store(Protocol):
    """Keeps files for every process of a service. Picklable: a worker elsewhere opens the same.

    Where it is out of reach for long, every verb raises StoreUnavailable.
    """

    def check(self) -> None:
        """Raise StoreUnavailable if it cannot be reached."""

    def put(self, content: bytes) -> str:
        """Keep these bytes, once; their SHA-256 is the way back to them."""

    def path(self, name: str) -> Path:
        """A file with the bytes of that hash. They are looked at: a file that is not what its name says is damaged, and
        is put away. Raises NotFound."""

    def has(self, name: str) -> bool:
        """Whether it is there; what is in it is not looked at."""

    def delete(self, name: str) -> None:
        """Forget these bytes, if they are there."""

    def artifacts(self) -> Iterator[tuple[str, datetime]]:
        """The hashes of all that is kept, and when each was written."""

    def checkpoints(self) -> Iterator[str]:
        """The jobs of which there are checkpoints."""

    def checkpoint(self, name: str) -> AbstractContextManager[Checkpoint]:
        """The state that a training left under a name ('job/candidate') and goes on from."""

    def forget_checkpoint(self, name: str) -> None:
        """Delete what a training left, or all trainings of a job."""

    is_far: bool
    """Whether it is elsewhere, so that other machines may have what this one has not."""

    def share(self, name: str, folder: Path) -> None:
        """Keep the files of a folder, once, for whoever fetches them; where the store is far alone."""

    def fetch(self, name: str, folder: Path) -> bool:
        """Write the files that were shared under a name into a folder; whether there were any, and whole."""

    def shared(self) -> Iterator[tuple[str, datetime]]:
        """The names under which folders are shared, or parts of them, and when each was written last."""

    def unshare(self, name: str) -> None:
        """Forget a shared folder, if it is there."""


def is_hash(name: str) -> bool:
    """Whether it can be an artifact's name."""
    return bool(_HASH.fullmatch(name))


def known_hash(name: str) -> str:
    """The name, if it can be an artifact's. Raises NotFound."""
    if not is_hash(name):
        raise NotFound(f"{name!r} is not an artifact's hash")
    return name


def known_folder(name: str) -> str:
    """The name, if it can be a shared folder's. Raises NotFound."""
    if not re.fullmatch(NAME, name):
        raise NotFound(f"{name!r} is not a shared folder's name")
    return name


def known_checkpoint(name: str) -> str:
    """The name, if it can be a checkpoint's. Raises NotFound."""
    if not _CHECKPOINT.fullmatch(name):
        raise NotFound(f"{name!r} is not a checkpoint's name")
    return name
