"""What is amiss is found before it gets in the way, and nothing is changed by looking."""

from __future__ import annotations

import json
import os
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from espalier.app import checkup as doctor
from espalier.app.checkup import GIB, Finding, checkup
from espalier.app.settings import Settings
from espalier.storage import runners
from espalier.storage.database import Database
from tests.app.client.cli.conftest import Run, run

__all__ = ["run"]


def found(settings: Settings) -> dict[str, Finding]:
    return {one.what: one for one in checkup(settings)}


def test_a_fresh_machine_is_well_and_stays_as_it_is(tmp_path: Path) -> None:
    findings = found(Settings(data_dir=tmp_path / "new" / "data"))
    assert {one.what for one in findings.values() if one.state == "bad"} == set()
    assert "made at the first start" in findings["database"].words
    assert not (tmp_path / "new").exists()


def test_a_directory_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    assert found(Settings(data_dir=tmp_path / "file" / "data"))["data directory"].state == "bad"
    monkeypatch.setattr(os, "access", lambda *_: False)
    finding = found(Settings(data_dir=tmp_path / "data"))["data directory"]
    assert (finding.state, str(tmp_path) in finding.words) == ("bad", True)


def test_what_cannot_even_be_looked_at_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_: object) -> Finding:
        raise PermissionError(13, "Permission denied", "/locked")

    monkeypatch.setitem(doctor.LOOKS, "disk", locked)  # type: ignore[misc]
    findings = found(Settings(data_dir=tmp_path))
    assert (findings["disk"].state, "/locked" in findings["disk"].words) == ("bad", True)
    assert findings["extras"].state == "good", "the others are looked at"


def test_a_token_that_others_may_read(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o644)
    finding = found(Settings(data_dir=tmp_path))["data directory"]
    assert (finding.state, "chmod 600" in finding.words, "secret" in finding.words) == ("bad", True, False)
    token.chmod(0o600)
    assert found(Settings(data_dir=tmp_path))["data directory"].state == "good"


def test_a_database_of_another_release_one_without_a_runner_and_one_with(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    (tmp_path / "espalier.db").touch()
    assert "espalier upgrade" in found(settings)["database"].words
    with closing(Database(settings.url)) as database:
        database.upgrade()
        finding = found(settings)["database"]
        assert (finding.state, "no runner is alive" in finding.words) == ("look", True)
        with database.session() as session:
            runners.heartbeat(session, "me")
    assert found(settings)["database"].state == "good"


def test_a_database_that_does_not_answer_and_its_password(tmp_path: Path) -> None:
    url = "postgresql://me:hidden@127.0.0.1:1/espalier"
    finding = found(Settings(data_dir=tmp_path, database_url=url))["database"]
    assert (finding.state, "hidden" in finding.words) == ("bad", False)
    assert found(Settings(data_dir=tmp_path, database_url="nonsense://x"))["database"].state == "bad"


def test_a_store_that_is_there_and_one_that_is_not(tmp_path: Path, bucket: str) -> None:
    settings = Settings(data_dir=tmp_path, store=bucket)
    assert found(settings)["store"] == Finding("store", "good", f"weights and checkpoints are in {bucket}")
    assert found(Settings(data_dir=tmp_path, store=bucket.replace("s3://", "s3://no-")))["store"].state == "bad"
    finding = found(Settings(data_dir=tmp_path, store="ftp://x"))["store"]
    assert (finding.state, "no store 'ftp://x'" in finding.words) == ("bad", True)


def test_image_folders_are_named(tmp_path: Path) -> None:
    for name in ("pets", "no-images"):
        (tmp_path / name).mkdir()
    (tmp_path / "pets" / "train").mkdir()
    finding = found(Settings(data_dir=tmp_path, datasets_dir=tmp_path))["data sets"]
    assert finding.words.endswith("pets")
    assert found(Settings(data_dir=tmp_path, datasets_dir=tmp_path / "gone"))["data sets"].state == "look"


def test_little_disk_and_memory_a_busy_machine_and_cores_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(9 * GIB, 8 * GIB, GIB))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: namedtuple("memory", "available")(GIB))
    monkeypatch.setattr(os, "getloadavg", lambda: (9.0, 9.0, 9.0))
    findings = found(Settings(data_dir=tmp_path))
    assert [findings[what].state for what in ("disk", "memory", "processor")] == ["look"] * 3
    assert "1.0 GiB free" in findings["disk"].words
    assert "load of 9.0" in findings["processor"].words
    assert "more than there are" in found(Settings(data_dir=tmp_path, workers=1024))["processor"].words


def test_a_part_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EXTRAS", {"timm": "no_such_module", "mcp": "json"})
    assert found(Settings(data_dir=tmp_path))["extras"].words.startswith("mcp; pip install 'espalier-nas[timm]'")


def test_the_command_fails_where_something_will(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESPALIER_DATA_DIR", str(tmp_path))
    well = run("doctor", "--json")
    assert well.exit_code == 0
    assert {one["what"] for one in json.loads(well.stdout)} >= {"data directory", "database", "GPU"}
    (tmp_path / "token").write_text("x")
    (tmp_path / "token").chmod(0o666)
    ill = run("doctor")
    assert (ill.exit_code, "bad" in ill.output) == (1, True)
