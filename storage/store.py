"""Bytes by content hash: trained weights, kept once however many jobs refer to them."""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
from pathlib import Path

from espalier.storage.errors import NotFound

log = logging.getLogger("espalier.store")

_HASH = re.compile(r"[0-9a-f]{64}")


class Store:
    """A folder of files named by the SHA-256 of what is in them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes) -> str:
        """Keep these bytes; their hash is the way back to them."""
        name = hashlib.sha256(content).hexdigest()
        path = self._path(name)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(content)
            Path(file.name).replace(path)
        return name

    def path(self, name: str) -> Path:
        """Where the file is. What is in it is looked at: a file that is not what its name says is damaged, and is put
        away. Raises NotFound."""
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
        """Whether the file is here; what is in it is not looked at."""
        return self._path(name).exists()

    def delete(self, name: str) -> None:
        """Forget these bytes, if they are here."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not _HASH.fullmatch(name):
            raise NotFound(f"{name!r} is not an artifact's hash")
        return self.root / name[:2] / name[2:]
