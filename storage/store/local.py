"""A folder as a store: what is kept is where it is used."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from espalier.storage.errors import NotFound
from espalier.storage.store.base import Checkpoint, is_hash, known_checkpoint, known_hash

log = logging.getLogger("espalier.store")


class _File(NamedTuple):
    path: Path

    def keep(self) -> None:
        """It is where it stays."""


class LocalStore:
    """Artifacts in one folder, named by their hashes; checkpoints in another, each job's in its own."""

    def __init__(self, root: Path) -> None:
        self._artifacts, self._work = root / "artifacts", root / "work"

    def check(self) -> None:
        """See `Store.check`: a folder is made where there is none."""

    def put(self, content: bytes) -> str:
        """See `Store.put`."""
        name = hashlib.sha256(content).hexdigest()
        path = self._path(name)
        if path.exists():
            path.touch()  # it is wanted again, and not old
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(content)
            Path(file.name).replace(path)
        return name

    def path(self, name: str) -> Path:
        """See `Store.path`."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise NotFound(f"no artifact {name!r}") from error
        if found != name:
            log.error("artifact %s is damaged; it is deleted, and made again where it is needed", name)
            self.delete(name)
            raise NotFound(f"artifact {name!r} was damaged")
        return path

    def has(self, name: str) -> bool:
        """See `Store.has`."""
        return self._path(name).exists()

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        self._path(name).unlink(missing_ok=True)

    def artifacts(self) -> Iterator[tuple[str, datetime]]:
        """See `Store.artifacts`."""
        for path in self._artifacts.glob("??/*"):
            name = path.parent.name + path.name
            with contextlib.suppress(FileNotFoundError):
                if is_hash(name):
                    yield name, datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def checkpoints(self) -> Iterator[str]:
        """See `Store.checkpoints`."""
        if self._work.is_dir():
            yield from sorted(path.name for path in self._work.iterdir() if path.is_dir())

    @contextmanager
    def checkpoint(self, name: str) -> Iterator[Checkpoint]:
        """See `Store.checkpoint`."""
        path = self._checkpoint(name).with_suffix(".safetensors")
        path.parent.mkdir(parents=True, exist_ok=True)
        yield _File(path)

    def forget_checkpoint(self, name: str) -> None:
        """See `Store.forget_checkpoint`."""
        place = self._checkpoint(name)
        shutil.rmtree(place, ignore_errors=True)
        place.with_suffix(".safetensors").unlink(missing_ok=True)

    is_far = False

    def share(self, name: str, folder: Path) -> None:
        """See `Store.share`: it is here already."""

    def fetch(self, name: str, folder: Path) -> bool:  # noqa: ARG002
        """See `Store.fetch`."""
        return False

    def shared(self) -> Iterator[tuple[str, datetime]]:
        """See `Store.shared`."""
        return iter(())

    def unshare(self, name: str) -> None:
        """See `Store.unshare`."""

    def _path(self, name: str) -> Path:
        known_hash(name)
        return self._artifacts / name[:2] / name[2:]

    def _checkpoint(self, name: str) -> Path:
        return self._work / known_checkpoint(name)
