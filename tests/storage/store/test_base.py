"""What every store does, wherever it is."""

from __future__ import annotations

import hashlib
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from espalier.storage.errors import NotFound, StoreUnusable
from espalier.storage.store import LocalStore, Store, store_at
from espalier.storage.store.objects import ObjectStore

NOWHERE = "0" * 64


@pytest.fixture(params=["folder", "objects"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "root")
    found: str = request.getfixturevalue("bucket")
    return found


@pytest.fixture
def store(url: str, tmp_path: Path) -> Store:
    return store_at(url, tmp_path / "cache", keep_seconds=0)


@pytest.fixture
def elsewhere(store: Store, url: str, tmp_path: Path) -> Store:
    """The same store, as another machine opens it."""
    other: Store = pickle.loads(pickle.dumps(store))
    return other if isinstance(store, LocalStore) else store_at(url, tmp_path / "another cache")


def test_bytes_are_found_by_their_hash(store: Store, elsewhere: Store) -> None:
    name = store.put(b"weights")
    assert name == store.put(b"weights") == elsewhere.put(b"weights") == hashlib.sha256(b"weights").hexdigest()
    assert store.path(name).read_bytes() == elsewhere.path(name).read_bytes() == b"weights"
    assert store.has(name)
    assert elsewhere.has(name)
    elsewhere.delete(name)
    elsewhere.delete(name)
    assert not store.has(name)
    with pytest.raises(NotFound, match="no artifact"):
        elsewhere.path(name)


def test_it_can_be_reached(store: Store) -> None:
    store.check()
    store.put(b"weights")
    store.check()


def test_nothing_is_something_too(store: Store, elsewhere: Store) -> None:
    assert elsewhere.path(store.put(b"")).read_bytes() == b""


def test_what_is_not_there_is_not_found(store: Store) -> None:
    assert not store.has(NOWHERE)
    with pytest.raises(NotFound, match="no artifact"):
        store.path(NOWHERE)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_only_hashes_are_names(store: Store, name: str) -> None:
    for verb in (store.path, store.has, store.delete):
        with pytest.raises(NotFound, match="is not an artifact's hash"):
            verb(name)


@pytest.mark.parametrize("name", ["../x", "a/../b", "a/b/c", "", "/a", "A", "a/b.c"])
def test_only_jobs_and_candidates_have_checkpoints(store: Store, name: str) -> None:
    with pytest.raises(NotFound, match="is not a checkpoint's name"), store.checkpoint(name):
        pass
    with pytest.raises(NotFound, match="is not a checkpoint's name"):
        store.forget_checkpoint(name)


def test_a_checkpoint_is_there_until_it_is_forgotten(store: Store, elsewhere: Store) -> None:
    for word in (b"first", b"second"):
        with store.checkpoint("job/one") as state:
            assert state.path.exists() is (word == b"second")
            state.keep()  # of nothing yet, or nothing new
            state.path.write_bytes(word)
            state.keep()
    with elsewhere.checkpoint("job/one") as state:
        assert state.path.read_bytes() == b"second"
    store.forget_checkpoint("job/one")
    with elsewhere.checkpoint("job/one") as state:
        assert not state.path.exists()


def test_a_job_is_forgotten_with_all_of_its_checkpoints_and_no_others(store: Store, elsewhere: Store) -> None:
    for name in ("job/one", "job/two", "job2/one"):
        with store.checkpoint(name) as state:
            state.path.write_bytes(name.encode())
            state.keep()
    store.forget_checkpoint("job")
    store.forget_checkpoint("job")
    for name, is_there in (("job/one", False), ("job/two", False), ("job2/one", True)):
        with elsewhere.checkpoint(name) as state:
            assert state.path.exists() is is_there


def test_a_url_says_which_store_it_is(tmp_path: Path, bucket: str) -> None:
    for url in (str(tmp_path), f"file://{tmp_path}"):
        store = store_at(url, tmp_path / "cache")
        store.put(b"x")
        assert (tmp_path / "artifacts").is_dir()
    assert isinstance(store_at(bucket, tmp_path), ObjectStore)
    with pytest.raises(StoreUnusable, match="no store 'ftp://x'; there are: a folder, s3://…, gs://…, az://…"):
        store_at("ftp://x", tmp_path)
    with pytest.raises(StoreUnusable, match="the store 's3://' cannot be used: Generic URL error"):
        store_at("s3://", tmp_path)


def test_it_lists_what_it_has(store: Store, elsewhere: Store) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    assert ([*store.artifacts()], [*store.checkpoints()]) == ([], [])
    names = {store.put(b"one"), store.put(b"two")}
    for name in ("job/one", "job/two", "other/one"):
        with store.checkpoint(name) as state:
            state.path.write_bytes(b"state")
            state.keep()
    found = dict(elsewhere.artifacts())
    assert found.keys() == names
    assert all(before < written < datetime.now(UTC) + timedelta(seconds=2) for written in found.values())
    assert [*elsewhere.checkpoints()] == ["job", "other"]
