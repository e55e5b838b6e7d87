"""An object store (S3, and what speaks like it; Google's and Azure's) that all machines of a cluster share."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from espalier.storage.errors import NotFound, StoreUnavailable, StoreUnusable
from espalier.storage.store.base import Checkpoint, known_checkpoint, known_hash
from espalier.storage.store.local import LocalStore

try:
    import obstore
    from obstore.exceptions import AlreadyExistsError, BaseError
    from obstore.store import from_url
except ImportError as missing:  # pragma: no cover
    raise StoreUnusable("object stores need obstore; pip install 'espalier-nas[objects]'") from missing

log = logging.getLogger("espalier.store")

PATIENCE, RETRIES = timedelta(minutes=5), 60
"""For how long one request is tried again, and how often."""
KEEP_SECONDS = 20.0
"""Between two copies of one checkpoint: what a training may lose with its machine."""
CREDENTIALS = ("AWS_", "GOOGLE_", "AZURE_")
"""Beginnings of the variables from which object stores take addresses and keys."""


class ObjectStore:
    """Objects `artifacts/HASH` and `work/JOB/CANDIDATE`. What was read is kept on this machine, too.

    obstore rather than fsspec: it writes create-only, tries again by itself, is one dependency, and can be pickled.
    """

    def __init__(self, url: str, cache: Path) -> None:
        self.url = url
        self._copies, self._scratch = LocalStore(cache / "store"), cache / "work"
        self._objects = self._opened()

    def __repr__(self) -> str:
        return f"ObjectStore({self.url!r})"  # and no keys

    def __getstate__(self) -> dict[str, Any]:
        """With what reaches the store: a worker on another machine may have no such variables."""
        return {**vars(self), "_objects": {k: v for k, v in os.environ.items() if k.startswith(CREDENTIALS)}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        for name, value in state["_objects"].items():
            os.environ.setdefault(name, value)
        self._objects = self._opened()

    def _opened(self) -> Any:
        try:
            return from_url(self.url, retry_config={"retry_timeout": PATIENCE, "max_retries": RETRIES})
        except (BaseError, ValueError) as error:
            raise StoreUnusable(f"the store {self.url!r} cannot be used: {_first_line(error)}") from error

    def check(self) -> None:
        """See `Store.check`."""
        with _reaching():
            next(iter(obstore.list(self._objects, "artifacts/", chunk_size=1)), None)

    def put(self, content: bytes) -> str:
        """See `Store.put`."""
        name = self._copies.put(content)
        with contextlib.suppress(AlreadyExistsError):
            _write(self._objects, _artifact(name), content, mode="create")
        return name

    def path(self, name: str) -> Path:
        """See `Store.path`."""
        known_hash(name)
        with contextlib.suppress(NotFound):
            return self._copies.path(name)
        try:
            with _reaching():
                content = bytes(obstore.get(self._objects, _artifact(name)).bytes())
        except FileNotFoundError as error:
            raise NotFound(f"no artifact {name!r}") from error
        if hashlib.sha256(content).hexdigest() != name:
            log.error("artifact %s is damaged; it is deleted, and made again where it is needed", name)
            self.delete(name)
            raise NotFound(f"artifact {name!r} was damaged")
        return self._copies.path(self._copies.put(content))

    def has(self, name: str) -> bool:
        """See `Store.has`."""
        try:
            with _reaching():
                obstore.head(self._objects, _artifact(name))
        except FileNotFoundError:
            return False
        return True

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        self._copies.delete(name)
        self._delete(_artifact(name))

    @contextmanager
    def checkpoint(self, name: str) -> Iterator[Checkpoint]:
        """See `Store.checkpoint`."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            copy = _Copy(self._objects, _work(name), Path(folder) / "checkpoint.safetensors")
            copy.fetch()
            yield copy

    def forget_checkpoint(self, name: str) -> None:
        """See `Store.forget_checkpoint`."""
        with _reaching():
            below = [one["path"] for batch in obstore.list(self._objects, f"{_work(name)}/") for one in batch]
        for path in (_work(name), *below):
            self._delete(path)

    def _delete(self, path: str) -> None:
        with _reaching(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._objects, path)


class _Copy:
    """A checkpoint on this machine, and the object that it is a copy of."""

    def __init__(self, objects: Any, name: str, path: Path) -> None:
        self.path = path
        self._objects, self._name = objects, name
        self._kept, self._kept_at = 0.0, time.monotonic()
        """When the file was written that was kept, and when it was kept."""

    def fetch(self) -> None:
        """Write what is in the store, if it has anything."""
        with _reaching(), contextlib.suppress(FileNotFoundError):
            self.path.write_bytes(obstore.get(self._objects, self._name).bytes())
            self._kept = self.path.stat().st_mtime

    def keep(self) -> None:
        """Copy what is new into the store, unless that was done a moment ago."""
        if time.monotonic() < self._kept_at + KEEP_SECONDS or not self.path.exists():
            return
        written = self.path.stat().st_mtime
        if written != self._kept:
            _write(self._objects, self._name, self.path)
            self._kept = written
        self._kept_at = time.monotonic()


def _write(objects: Any, path: str, what: bytes | Path, **mode: Any) -> None:
    with _reaching():
        try:
            obstore.put(objects, path, what, **mode)
        except FileNotFoundError as error:  # not the object: the bucket
            raise StoreUnavailable(f"the store is not there: {_first_line(error)}") from error


def _artifact(name: str) -> str:
    return f"artifacts/{known_hash(name)}"


def _work(name: str) -> str:
    return f"work/{known_checkpoint(name)}"


@contextmanager
def _reaching() -> Iterator[None]:
    """What obstore raises, as what a store raises."""
    try:
        yield
    except AlreadyExistsError:
        raise
    except BaseError as error:
        raise StoreUnavailable(f"the store does not answer: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
