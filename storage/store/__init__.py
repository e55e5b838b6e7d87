"""Where a service keeps files: in a folder, or in an object store that a cluster shares."""

from __future__ import annotations

from pathlib import Path

from espalier.storage.errors import StoreUnusable
from espalier.storage.store.base import Checkpoint, Store
from espalier.storage.store.local import LocalStore

SCHEMES = ("s3", "gs", "az")
"""Of object stores: S3 and what speaks like it, Google's, Azure's."""


def store_at(url: str, cache: Path, keep_seconds: float = 20.0) -> Store:
    """The store at a URL: a folder (a path, or file://…), or what an object store calls itself (s3://bucket/folder).
    `cache` is where copies of what is far away lie; `keep_seconds`: at least so long is between two copies of one
    checkpoint there. Raises StoreUnusable."""
    scheme, is_url, rest = url.partition("://")
    if not is_url or scheme == "file":
        return LocalStore(Path(rest if is_url else url))
    if scheme not in SCHEMES:
        raise StoreUnusable(f"no store {url!r}; there are: a folder, {', '.join(f'{one}://…' for one in SCHEMES)}")
    from espalier.storage.store.objects import ObjectStore  # an extra

    return ObjectStore(url, cache, keep_seconds)


__all__ = ["Checkpoint", "LocalStore", "Store", "store_at"]
