"""Settings: unknown or unusable ones stop the start, and secrets are not repeated."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from espalier.app.service import holding, token_of
from espalier.app.serving import serve
from espalier.app.settings import Settings, SettingsError, load


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
        ("EXECUTOR", "slurm", "ESPALIER_EXECUTOR: Input should be 'local'"),
        ("LOG_FORMAT", "xml", "'text' or 'json'"),
        ("MAX_QUEUED_JOBS", "-1", "ESPALIER_MAX_QUEUED_JOBS"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(f"ESPALIER_{name}", value)
    with pytest.raises(SettingsError, match=words):
        load()


def test_a_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_TOKEN", "s3cret" * 200)
    with pytest.raises(SettingsError) as caught:
        load()
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(Settings(token="s3cret"))


def test_a_token_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    token, made = token_of(Settings(data_dir=tmp_path))
    assert made
    assert token_of(Settings(data_dir=tmp_path)) == (token, False)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert token_of(Settings(data_dir=tmp_path, token="mine")) == ("mine", False)


def test_an_empty_token_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    token, made = token_of(Settings(data_dir=tmp_path))
    assert made
    assert len(token) > 20


def test_one_runner_holds_the_file_of_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_DATA_DIR", str(tmp_path / "mine"))
    monkeypatch.setenv("ESPALIER_DATABASE_URL", f"sqlite:///{tmp_path}/theirs/espalier.db")
    with holding(tmp_path / "theirs"), pytest.raises(SettingsError, match=r"another Espalier already runs on .*theirs"):
        serve("", 0, with_api=False, with_runner=True, auth=False)


def test_one_runner_holds_a_data_directory(tmp_path: Path) -> None:
    with holding(tmp_path), pytest.raises(SettingsError, match="another Espalier already runs"), holding(tmp_path):
        pass
    with holding(tmp_path):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be used"), holding(tmp_path / "file"):
        pass
