"""Logs: as text, or as lines of JSON that say what they are about, and nothing secret."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from espalier.app.logs import about, configure
from espalier.app.settings import Settings


@pytest.fixture
def logs() -> Iterator[None]:
    """Puts logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    for noisy in ("alembic", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.NOTSET)


def test_logs_are_lines_of_json_if_that_is_set(logs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del logs
    configure(Settings(data_dir=tmp_path, log_format="json", log_level="warning"))
    log = logging.getLogger("espalier.test")
    log.info("not told")
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("it %s", "failed")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("error", "espalier.test", "it failed")
    assert "ValueError: broken" in entry["exception"]


def test_logs_are_text_else_and_others_are_quieter(
    logs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del logs
    configure(Settings(data_dir=tmp_path))
    logging.getLogger("espalier.test").info("told")
    logging.getLogger("alembic.runtime").info("not told")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("INFO espalier.test: told")


def test_lines_say_which_job_and_candidate_they_are_about(
    logs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del logs
    configure(Settings(data_dir=tmp_path, log_format="json"))
    log = logging.getLogger("espalier.test")
    with about(job="one"):
        with about(candidate="two"):
            log.info("both")
        log.info("the job")
        other = threading.Thread(target=log.info, args=("another thread",))
        other.start()
        other.join()
    log.info("nothing")
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["message"], one.get("job"), one.get("candidate")) for one in told] == [
        ("both", "one", "two"),
        ("the job", "one", None),
        ("another thread", None, None),
        ("nothing", None, None),
    ]
