"""Settings: unknown or unusable ones stop the start, and secrets are not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from espalier.app.caps import UNCAPPED, Caps
from espalier.app.server.processes import serve
from espalier.app.settings import Settings, SettingsError, load
from espalier.app.work.executors import EXECUTORS
from espalier.search.results import FREE, Pinned
from espalier.storage.room import Room
from tests.app.fakes import FakeExecutor


def test_defaults(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert settings.datasets == tmp_path / "datasets"
    assert settings.url == f"sqlite:///{tmp_path / 'espalier.db'}"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WORKER", "2", r"no setting ESPALIER_WORKER; there are: .*ESPALIER_WORKERS"),
        ("WORKERS", "0", "ESPALIER_WORKERS: Input should be greater than or equal to 1, got '0'"),
        ("WORKERS", "many", "ESPALIER_WORKERS"),
        ("EXECUTOR", "slurm", r"ESPALIER_EXECUTOR: .*no executor of that name; there are: .*local.*, got 'slurm'"),
        ("LOG_FORMAT", "xml", "'text' or 'json'"),
        ("TRACES_URL", "localhost:4318", "an address is such as"),
        ("MAX_SECONDS_PER_JOB", "0", "greater than 0"),
        ("MAX_MACS_PER_TOKEN", "-1", "greater than 0"),
        ("MAX_QUEUED_JOBS", "-1", "ESPALIER_MAX_QUEUED_JOBS"),
        ("MAX_REQUESTS_PER_TOKEN", "many", "ESPALIER_MAX_REQUESTS_PER_TOKEN: a rate is .*600/minute.*, got 'many'"),
        *(
            ("TOKEN", token, "ESPALIER_TOKEN: a token is at least 8 letters")
            for token in (
                "abcdefgh\n",
                " abcdefgh ",
                "t\u00f6k\u00e9nt\u00f6k\u00e9n",
                "x",
            )
        ),
        *(
            ("DATABASE_URL", url, "ESPALIER_DATABASE_URL: a database in memory")
            for url in (
                "sqlite://",
                "sqlite:///:memory:",
                "sqlite+pysqlite://",
                "sqlite:///",
                "sqlite:///:memory:?cache=shared",
            )
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"ESPALIER_{name}", value)
    with pytest.raises(SettingsError, match=words):
        load()


def test_who_may_be_told_needs_a_secret_which_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().webhook_host_names == frozenset()
    monkeypatch.setenv("ESPALIER_WEBHOOK_HOSTS", "hooks.example.com, OTHER.example.com")
    with pytest.raises(SettingsError, match="needs ESPALIER_WEBHOOK_SECRET, of at least 16 characters"):
        load()
    monkeypatch.setenv("ESPALIER_WEBHOOK_SECRET", "much too short")
    with pytest.raises(SettingsError) as refused:
        load()
    assert "much too short" not in str(refused.value)
    monkeypatch.setenv("ESPALIER_WEBHOOK_SECRET", "long enough for anybody")
    assert load().webhook_host_names == {"hooks.example.com", "other.example.com"}
    assert "long enough" not in repr(load())


def test_how_networks_are_computed_may_be_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().pinned == FREE
    for name, value in (("PRECISION", "float32"), ("CHANNELS_LAST", "true"), ("THREADS", "2")):
        monkeypatch.setenv(f"ESPALIER_{name}", value)
    assert load().pinned == Pinned(precision="float32", channels_last=True, threads=2)
    monkeypatch.setenv("ESPALIER_PRECISION", "float16")
    with pytest.raises(SettingsError, match=r"ESPALIER_PRECISION: .*'float32' or 'bfloat16'"):
        load()


def test_levels_may_be_written_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_LOG_LEVEL", "INFO")
    assert load().log_level == "info"


def test_names_of_hosts_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_HOSTS", "lab.example, Espalier ,10.0.0.7")
    assert load().host_names == {"lab.example", "espalier", "10.0.0.7"}


def test_a_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_TOKEN", "s3cret" * 200)
    with pytest.raises(SettingsError) as caught:
        load()
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(Settings(token="s3cret-s3cret"))


def test_an_unknown_executor_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_EXECUTOR", "slurm")
    with pytest.raises(SettingsError, match=", ".join(EXECUTORS)):
        serve("", 0, with_api=True, with_runner=True, auth=False)
    assert not load_path().exists(), "nothing was begun"


def load_path() -> Path:
    """The data directory that the settings name."""
    return Settings(executor="local").data_dir


def test_an_executor_that_was_added_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_EXECUTOR", "fake")
    with pytest.raises(SettingsError, match="there are: local"):
        load()
    monkeypatch.setitem(EXECUTORS, "fake", FakeExecutor)
    assert load().executor == "fake"
    monkeypatch.setenv("ESPALIER_EXECUTOR", "slurm")
    with pytest.raises(SettingsError, match=r"there are: local, .*fake"):
        load()


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_WORKERS", "0")
    monkeypatch.setenv("ESPALIER_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError, match=r"ESPALIER_WORKERS.*ESPALIER_LOG_LEVEL"):
        load()


def test_the_clients_address_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_URL", "http://example.org")
    assert load().executor == "local"


def test_a_database_urls_password_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_DATABASE_URL", "postgresql://me:s3cret@host/x")
    monkeypatch.setenv("ESPALIER_WORKERS", "0")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "s3cret" not in str(caught.value)


def test_settings_do_not_change(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, datasets_dir=tmp_path / "images", database_url="postgresql://host/x")
    assert (settings.datasets, settings.url) == (tmp_path / "images", "postgresql://host/x")
    assert (settings.cache, settings.store_url) == (tmp_path / "cache", str(tmp_path))
    assert Settings(data_dir=tmp_path, store="s3://b/f").store_url == "s3://b/f"
    with pytest.raises(ValidationError):
        settings.workers = 3  # type: ignore[misc]


def test_what_jobs_may_take_is_without_limit_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (load().caps, load().room) == (UNCAPPED, Room(100))
    for name, value in (("JOB", "1e15"), ("TOKEN", "1e16")):
        monkeypatch.setenv(f"ESPALIER_MAX_MACS_PER_{name}", value)
    monkeypatch.setenv("ESPALIER_MAX_SECONDS_PER_JOB", "3600")
    monkeypatch.setenv("ESPALIER_MAX_QUEUED_JOBS_PER_TOKEN", "3")
    assert (load().caps, load().room) == (Caps(1e15, 3600.0), Room(100, 3, 1e16))
