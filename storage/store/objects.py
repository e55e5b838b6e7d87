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
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints, TypeAdapter

from espalier.search.scratch import scratch
from espalier.storage.errors import NotFound, StoreUnavailable, StoreUnusable
from espalier.storage.store.base import NAME, Checkpoint, is_hash, known_checkpoint, known_folder, known_hash
from espalier.storage.store.local import LocalStore

try:
    import obstore
    from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
    from obstore.store import from_url
except ImportError as missing:  # pragma: no cover
    raise StoreUnusable("object stores need obstore; pip install 'espalier-nas[objects]'") from missing

log = logging.getLogger("espalier.store")

HERE, ELSEWHERE = timedelta(seconds=5), timedelta(minutes=5)
"""For how long a request is tried again: in the service, where others wait; in a worker, whose work would be lost."""
RETRIES = 10_000
"""Time decides, and not their number."""
CLIENT = {"timeout": "10m", "connect_timeout": "5s"}
"""Of one try; weights may be large, and lines slow."""
PAUSE, LONGEST_PAUSE = 0.5, 20.0
"""Seconds between tries of what obstore does not try again: the first of them, and the most."""
MOST_BYTES = 20 * 2**30
"""Of copies on one machine; those that were not used for longest go first."""
IN_USE = 3600.0
"""Seconds after which a copy that was asked for is taken to have been read."""
CONTENTS = "contents.json"
"""Names the files of a shared folder, with their hashes."""
Hashes = dict[Annotated[str, StringConstraints(pattern=NAME)], str]
HASHES: TypeAdapter[Hashes] = TypeAdapter(Hashes)
CHUNK = 8 * 2**20
"""Bytes that are fetched at once of a file."""
CREDENTIALS = ("AWS_", "GOOGLE_", "AZURE_")
"""Beginnings of the variables from which object stores take addresses and keys."""


class ObjectStore:
    """Objects `artifacts/HASH`, `work/JOB/CANDIDATE` and `folders/NAME/FILE`. Artifacts that were read are kept on this
    machine, too.

    obstore rather than fsspec: it writes create-only, tries again by itself, is one dependency, and can be pickled.
    """

    def __init__(self, url: str, cache: Path, keep_seconds: float = 20.0) -> None:
        self.url = url
        self._keep_seconds = keep_seconds
        """Between two copies of one checkpoint."""
        self._live_in(cache)
        self._open(HERE)

    def __repr__(self) -> str:
        return f"ObjectStore({self.url!r})"  # and no keys

    def __getstate__(self) -> dict[str, Any]:
        """With what reaches the store: a worker on another machine may have other variables, or none."""
        known = {name: value for name, value in os.environ.items() if name.startswith(CREDENTIALS)}
        return {"url": self.url, "cache": self._cache, "keep_seconds": self._keep_seconds, "known": known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.url, self._keep_seconds = state["url"], state["keep_seconds"]
        for name in [name for name in os.environ if name.startswith(CREDENTIALS)]:
            del os.environ[name]
        os.environ.update(state["known"])
        self._live_in(state["cache"])
        self._open(ELSEWHERE)

    def _live_in(self, cache: Path) -> None:
        """Keep copies there, or, on a machine that has no such place, among its temporary files."""
        self._cache = cache
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError:
            self._cache = Path(tempfile.gettempdir()) / "espalier"
        self._copies, self._scratch = LocalStore(self._cache / "store"), self._cache / "work"

    def _open(self, patience: timedelta) -> None:
        self._patience = patience
        self._objects, self._impatient = self._client(patience), self._client(HERE)

    def _client(self, patience: timedelta) -> Any:
        tried: Any = {"retry_timeout": patience, "max_retries": RETRIES}
        plainly = os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true"  # not looked at where options are given
        client: Any = {**CLIENT, "allow_http": plainly}
        try:
            return from_url(self.url, retry_config=tried, client_options=client)
        except (BaseError, ValueError) as error:
            raise StoreUnusable(f"the store {self.url!r} cannot be used: {_first_line(error)}") from error

    def check(self) -> None:
        """See `Store.check`."""
        with _reaching():
            next(iter(obstore.list(self._objects, "artifacts/", chunk_size=1)), None)

    def put(self, content: bytes) -> str:
        """See `Store.put`."""
        name = hashlib.sha256(content).hexdigest()
        until, pause = time.monotonic() + self._patience.total_seconds(), PAUSE
        while True:  # obstore itself tries nothing again that may have been written
            try:
                _write(self._objects, _artifact(name), content, mode="create")
            except AlreadyExistsError:
                return name
            except StoreUnavailable:
                if time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return name

    def path(self, name: str) -> Path:
        """See `Store.path`."""
        known_hash(name)
        with contextlib.suppress(NotFound):
            copy = self._copies.path(name)
            copy.touch()  # it is in use
            return copy
        try:
            with _reaching():
                content = bytes(obstore.get(self._objects, _artifact(name)).bytes())
        except FileNotFoundError as error:
            raise NotFound(f"no artifact {name!r}") from error
        if hashlib.sha256(content).hexdigest() != name:
            log.error("artifact %s is damaged; it is deleted, and made again where it is needed", name)
            self.delete(name)
            raise NotFound(f"artifact {name!r} was damaged")
        self._make_room(len(content))
        return self._copies.path(self._copies.put(content))

    def has(self, name: str) -> bool:
        """See `Store.has`."""
        return self._has(_artifact(name))

    def _has(self, path: str) -> bool:
        try:
            with _reaching():
                obstore.head(self._objects, path)
        except FileNotFoundError:
            return False
        return True

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        self._copies.delete(name)
        self._delete(_artifact(name))

    def artifacts(self) -> Iterator[tuple[str, datetime]]:
        """See `Store.artifacts`."""
        for path, written in self._below("artifacts/"):
            name = path.rpartition("/")[2]
            if is_hash(name):
                yield name, written

    def checkpoints(self) -> Iterator[str]:
        """See `Store.checkpoints`."""
        yield from sorted({path.split("/")[1] for path, _ in self._below("work/")})

    def _below(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Objects, and when each was written."""
        with _reaching():
            for batch in obstore.list(self._objects, prefix):
                yield from ((one["path"], one["last_modified"]) for one in batch)

    @contextmanager
    def checkpoint(self, name: str) -> Iterator[Checkpoint]:
        """See `Store.checkpoint`."""
        with scratch(self._scratch) as folder:
            copy = _Copy(self._impatient, _work(name), folder / "checkpoint.safetensors", self._keep_seconds)
            copy.fetch(self._objects)
            yield copy

    def forget_checkpoint(self, name: str) -> None:
        """See `Store.forget_checkpoint`."""
        below = [path for path, _ in self._below(f"{_work(name)}/")]
        for path in (_work(name), *below):
            self._delete(path)

    is_far = True

    def share(self, name: str, folder: Path) -> None:
        """See `Store.share`. What is in them is written last, so that nobody fetches a part."""
        below = _folder(name)
        if self._has(f"{below}/{CONTENTS}"):
            return
        contents: Hashes = {}
        for file in sorted(folder.iterdir()):
            contents[file.name] = _hash_of(file)
            _write(self._objects, f"{below}/{file.name}", file)
        _write(self._objects, f"{below}/{CONTENTS}", HASHES.dump_json(contents))

    def fetch(self, name: str, folder: Path) -> bool:
        """See `Store.fetch`. A file that is not what was shared is damaged, and the folder is forgotten."""
        below, contents = _folder(name), None
        try:
            with _reaching():
                contents = HASHES.validate_json(bytes(obstore.get(self._objects, f"{below}/{CONTENTS}").bytes()))
                for file, hash in contents.items():
                    self._copy(f"{below}/{file}", folder / file)
                    if _hash_of(folder / file) != hash:
                        raise ValueError(file)
        except (FileNotFoundError, ValueError) as error:
            if contents is not None or isinstance(error, ValueError):
                log.error("what was shared as %s is damaged (%s); it is deleted", name, error)
                self.unshare(name)
            return False
        return True

    def _copy(self, path: str, to: Path) -> None:
        with to.open("wb") as file:
            for part in obstore.get(self._objects, path).stream(min_chunk_size=CHUNK):
                file.write(part)

    def shared(self) -> Iterator[tuple[str, datetime]]:
        """See `Store.shared`."""
        written: dict[str, datetime] = {}
        for path, at in self._below("folders/"):
            name = path.split("/")[1]
            written[name] = max(at, written.get(name, at))
        yield from sorted(written.items())

    def unshare(self, name: str) -> None:
        """See `Store.unshare`."""
        below = _folder(name)
        self._delete(f"{below}/{CONTENTS}")
        for path in [path for path, _ in self._below(f"{below}/")]:
            self._delete(path)

    def _delete(self, path: str) -> None:
        with _reaching(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._objects, path)

    def _make_room(self, size: int) -> None:
        """Delete the copies that were not used for longest, where there are too many; none that a training may read."""
        found = []
        for path in (self._cache / "store").glob("artifacts/*/*"):
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                about = path.stat()
                found.append((about.st_mtime, about.st_size, path))
        held = sum(bytes for _, bytes, _ in found)
        for used, bytes, path in sorted(found):
            if held + size <= MOST_BYTES or used > time.time() - IN_USE:
                break
            path.unlink(missing_ok=True)
            held -= bytes


class _Copy:
    """A checkpoint on this machine, and the object that it is a copy of."""

    def __init__(self, objects: Any, name: str, path: Path, every: float) -> None:
        self.path = path
        self._objects, self._name, self._every = objects, name, every
        self._kept, self._kept_at = 0.0, time.monotonic()
        """When the file was written that was kept, and when it was kept."""

    def fetch(self, objects: Any) -> None:
        """Write what is in the store, if it has anything."""
        with _reaching(), contextlib.suppress(FileNotFoundError):
            self.path.write_bytes(obstore.get(objects, self._name).bytes())
            self._kept = self.path.stat().st_mtime

    def keep(self) -> None:
        """Copy what is new into the store, unless that was done a moment ago. A store that does not answer is no reason
        to stop: it is tried again with the next state."""
        if time.monotonic() < self._kept_at + self._every or not self.path.exists():
            return
        written = self.path.stat().st_mtime
        self._kept_at = time.monotonic()
        if written == self._kept:
            return
        try:
            _write(self._objects, self._name, self.path)
        except StoreUnavailable as error:
            log.warning("a checkpoint is not kept: %s", error)
        else:
            self._kept = written


def _write(objects: Any, path: str, what: bytes | Path, **mode: Any) -> None:
    with _reaching():
        try:
            obstore.put(objects, path, what, **mode)
        except FileNotFoundError as error:  # not the object: the bucket
            raise StoreUnavailable(f"the store is not there: {_first_line(error)}") from error


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(name: str) -> str:
    return f"folders/{known_folder(name)}"


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
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StoreUnusable(f"the store refuses these keys: {_first_line(error)}") from error
    except BaseError as error:
        raise StoreUnavailable(f"the store does not answer: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
