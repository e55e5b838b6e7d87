"""An object store: what is written once and by whom, what is far away, and what it does when nobody answers."""

from __future__ import annotations

import os
import pickle
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import from_url

from espalier.storage.errors import NotFound, StoreUnavailable
from espalier.storage.store import objects
from espalier.storage.store.objects import ObjectStore


@pytest.fixture
def store(bucket: str, tmp_path: Path) -> ObjectStore:
    return ObjectStore(bucket, tmp_path / "cache")


def raw(bucket: str) -> Any:
    return from_url(bucket)


def test_what_another_machine_has_written_is_not_written_again(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    name = store.put(b"weights")
    before = obstore.head(raw(bucket), f"artifacts/{name}")["last_modified"]
    time.sleep(1.1)  # they are told in seconds
    assert ObjectStore(bucket, tmp_path / "other").put(b"weights") == name
    assert obstore.head(raw(bucket), f"artifacts/{name}")["last_modified"] == before


@pytest.mark.parametrize("damaged", [b"weightS", b"weigh", b""])
def test_what_is_not_what_its_name_says_is_put_away(
    store: ObjectStore, bucket: str, tmp_path: Path, damaged: bytes
) -> None:
    name = store.put(b"weights")
    obstore.put(raw(bucket), f"artifacts/{name}", damaged)
    other = ObjectStore(bucket, tmp_path / "other")
    with pytest.raises(NotFound, match="was damaged"):
        other.path(name)
    assert not other.has(name)


def test_a_copy_that_is_damaged_is_fetched_anew(store: ObjectStore) -> None:
    name = store.put(b"weights")
    store.path(name).write_bytes(b"else")
    assert store.path(name).read_bytes() == b"weights"


def test_a_checkpoint_is_copied_now_and_then(store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = raw(bucket)
    with store.checkpoint("job/one") as state:
        state.path.write_bytes(b"first")
        state.keep()
        with pytest.raises(FileNotFoundError):
            obstore.head(kept, "work/job/one")
        monkeypatch.setattr(objects, "KEEP_SECONDS", 0.0)
        state.keep()
        assert bytes(obstore.get(kept, "work/job/one").bytes()) == b"first"
        obstore.put(kept, "work/job/one", b"touched")
        state.keep()
        assert bytes(obstore.get(kept, "work/job/one").bytes()) == b"touched", "nothing new was written here"
        state.path.write_bytes(b"second")
        os.utime(state.path, (0, 0))
        state.keep()
        assert bytes(obstore.get(kept, "work/job/one").bytes()) == b"second"
        folder = state.path.parent
    assert not folder.exists(), "nothing is left on this machine"


def test_it_takes_its_keys_along_and_tells_nobody(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    name, sent = store.put(b"weights"), pickle.dumps(store)
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    assert secret not in repr(store)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert pickle.loads(sent).has(name)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == secret


def test_nobody_answers(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PATIENCE", timedelta(seconds=0.2))
    monkeypatch.setattr(objects, "RETRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = ObjectStore(bucket, tmp_path)
    with pytest.raises(StoreUnavailable, match="the store does not answer: Generic S3 error"):
        store.put(b"weights")
    for verb in (store.has, store.delete, store.path):
        with pytest.raises(StoreUnavailable):
            verb("0" * 64)
    with pytest.raises(StoreUnavailable), store.checkpoint("job/one"):
        pass
    for verb in (store.check, lambda: store.forget_checkpoint("job")):
        with pytest.raises(StoreUnavailable):
            verb()


def test_a_bucket_that_is_not_there_is_no_missing_file(bucket: str, tmp_path: Path) -> None:
    store = ObjectStore(bucket.replace("s3://", "s3://no-"), tmp_path)
    with pytest.raises(StoreUnavailable, match="the store is not there"):
        store.put(b"weights")
    with pytest.raises(StoreUnavailable, match=r"the store does not answer.*404"):
        store.check()
