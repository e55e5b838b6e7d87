"""An object store: what is written once and by whom, what is far away, and what it does when nobody answers."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError, PermissionDeniedError
from obstore.store import from_url

from espalier.storage.errors import NotFound, StoreUnavailable, StoreUnusable
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


def test_a_checkpoint_is_copied_when_it_is_new(bucket: str, tmp_path: Path) -> None:
    kept = raw(bucket)
    with ObjectStore(bucket, tmp_path, keep_seconds=0).checkpoint("job/one") as state:
        state.path.write_bytes(b"first")
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


def test_but_not_all_the_time(store: ObjectStore, bucket: str) -> None:
    with store.checkpoint("job/one") as state:
        state.path.write_bytes(b"first")
        state.keep()
    with pytest.raises(FileNotFoundError):
        obstore.head(raw(bucket), "work/job/one")


def test_a_training_goes_on_where_a_checkpoint_cannot_be_kept(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ObjectStore(bucket, tmp_path, keep_seconds=0).checkpoint("job/one") as state:
        state.path.write_bytes(b"first")
        with monkeypatch.context() as broken:
            broken.setattr(objects.obstore, "put", refused)
            state.keep()
        state.path.write_bytes(b"second")
        state.keep()
    assert bytes(obstore.get(raw(bucket), "work/job/one").bytes()) == b"second"


def refused(*_: object, **__: object) -> None:
    raise GenericError("503")


def test_what_a_killed_process_left_is_deleted_and_nothing_else(store: ObjectStore, tmp_path: Path) -> None:
    here, gone = socket.gethostname(), 2**22 + 1  # more than there are
    left, foreign = (tmp_path / "cache" / "work" / f"{host}.{gone}.x" for host in (here, "another"))
    with store.checkpoint("job/one") as mine:
        for folder in (left, foreign):
            folder.mkdir()
        with store.checkpoint("job/two"):
            assert (left.exists(), foreign.exists(), mine.path.parent.exists()) == (False, True, True)


def test_copies_make_room_for_each_other(
    store: ObjectStore, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MOST_BYTES", 250)
    store.put(b"of this machine")
    names = [store.put(bytes([n]) * 100) for n in range(3)]
    reader = ObjectStore(bucket, tmp_path / "reader")
    for age, name in enumerate(names):
        os.utime(reader.path(name), (age, age))
    held = [path for path in (tmp_path / "reader").rglob("*") if path.is_file()]
    assert len(held) == 2
    monkeypatch.setattr(objects, "MOST_BYTES", 50)
    fresh = ObjectStore(bucket, tmp_path / "fresh")
    assert all(path.exists() for path in [fresh.path(name) for name in names]), "what was just asked for is read"
    monkeypatch.setattr(objects, "MOST_BYTES", 250)
    assert reader.path(names[0]).read_bytes() == bytes([0]) * 100, "it is fetched anew"


def test_keys_that_may_not_write_are_no_outage(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionDeniedError("403")

    monkeypatch.setattr(objects.obstore, "put", forbidden)
    with pytest.raises(StoreUnusable, match="refuses these keys"):
        store.put(b"weights")


def test_what_is_written_is_tried_again_until_it_is_there(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put, failures = obstore.put, iter([GenericError("timeout"), GenericError("timeout")])

    def shaky(*args: Any, **more: Any) -> Any:
        error = next(failures, None)
        put(*args, **more)  # it may have been written, though nobody said so
        if error:
            raise error

    monkeypatch.setattr(objects, "PAUSE", 0.01)
    monkeypatch.setattr(objects.obstore, "put", shaky)
    assert store.has(store.put(b"weights"))


def test_it_takes_its_keys_along_and_tells_nobody(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    name, sent = store.put(b"weights"), pickle.dumps(store)
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    assert secret not in repr(store)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of this machine, and of no use there")
    assert pickle.loads(sent).has(name)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == secret
    assert "AWS_SESSION_TOKEN" not in os.environ


def test_a_machine_without_such_a_folder_uses_another(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, sent = store.put(b"weights"), pickle.dumps(store)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "elsewhere"))
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").touch()
    assert tmp_path / "elsewhere" in pickle.loads(sent).path(name).parents


def test_nobody_answers(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "HERE", timedelta(seconds=0.2))
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


def a_folder(path: Path, **files: bytes) -> Path:
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def test_a_folder_is_shared_once_and_fetched_whole(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    large = os.urandom(20 * 2**20)
    store.share("digits-2", a_folder(tmp_path / "here", images=large, about=b"{}"))
    store.share("digits-2", a_folder(tmp_path / "else", images=b"other"))
    other, there = ObjectStore(bucket, tmp_path / "other"), a_folder(tmp_path / "there")
    assert other.fetch("digits-2", there)
    assert {path.name: path.read_bytes() for path in there.iterdir()} == {"images": large, "about": b"{}"}
    assert [*dict(other.shared())] == ["digits-2"]
    assert [*other.artifacts()] == []
    other.unshare("digits-2")
    assert [*dict(store.shared())] == []
    assert not store.fetch("digits-2", there)
    store.unshare("digits-2")


@pytest.mark.parametrize("damage", ["images", "contents.json"])
def test_a_shared_folder_that_is_damaged_is_forgotten_and_shared_anew(
    store: ObjectStore, bucket: str, tmp_path: Path, damage: str
) -> None:
    here, there = a_folder(tmp_path / "here", images=b"1234"), a_folder(tmp_path / "there")
    store.share("digits-2", here)
    obstore.put(raw(bucket), f"folders/digits-2/{damage}", b"1235")
    assert not store.fetch("digits-2", there)
    assert [*dict(store.shared())] == []
    store.share("digits-2", here)
    assert store.fetch("digits-2", there)


def test_a_folder_of_which_a_file_is_missing_is_none(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    store.share("digits-2", a_folder(tmp_path / "here", images=b"1234", about=b"{}"))
    obstore.delete(raw(bucket), "folders/digits-2/images")
    assert not store.fetch("digits-2", a_folder(tmp_path / "there"))
    store.share("digits-2", tmp_path / "here")
    assert store.fetch("digits-2", tmp_path / "there"), "it is shared anew"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b"])
def test_no_name_leaves_the_store(store: ObjectStore, tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound, match="is not a shared folder's name"):
        store.share(name, a_folder(tmp_path / "here"))
    with pytest.raises(NotFound):
        store.fetch(name, tmp_path)
