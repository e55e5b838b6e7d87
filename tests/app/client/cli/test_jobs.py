"""The command line: exit codes, words, and what it sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from espalier.app import cli
from espalier.app.client import ClientError

RUNNER = CliRunner()


class FakeClient:
    """Remembers what it was asked."""

    def __init__(self, url: str, token: str | None = None) -> None:
        FakeClient.made = (url, token)

    made: tuple[str, str | None] = ("", None)
    posted: list[tuple[str, Any]] = []  # noqa: RUF012

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def submit(self, spec: Any, key: str | None = None) -> Any:
        del key
        FakeClient.posted.append(("/v1/jobs", spec))
        return self.get("/v1/jobs/x")

    def post(self, path: str, body: Any = None) -> Any:
        FakeClient.posted.append((path, body))
        if path.endswith("/plan"):
            return {"candidates": [{"label": "dense seed 0", "epochs": 3}]}
        return self.get("/v1/jobs/x")

    def get(self, path: str, **_params: Any) -> Any:
        if path.endswith("/missing"):
            raise ClientError("Not Found (404): no job 'missing'")
        return {
            "id": "x",
            "name": "a job",
            "state": "queued",
            "progress": {"done": 0, "total": 3},
            "created_at": "2026-01-01T00:00:00Z",
        }

    def pages(self, *_args: Any, **_options: Any) -> Any:
        return [self.get("/v1/jobs/x")]

    def export(self, architecture: str, format: str) -> tuple[str, bytes]:
        return f"{architecture}.{format}", b"content"


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeClient.posted = []
    monkeypatch.setattr(cli, "Client", FakeClient)


def test_search_builds_a_spec() -> None:
    words = "search --arch resnet56 --dataset folder:pets --option width=0.5 --option blocks=[4,0,3] --budget params=0.1 --budget macs=0.3 --baseline random --seeds 2 --epochs 4 --plan"
    ran = RUNNER.invoke(cli.app, words.split())
    assert ran.exit_code == 0, ran.output
    ((path, spec),) = FakeClient.posted
    assert path == "/v1/jobs/plan"
    assert spec["target"] == {
        "arch": "resnet56",
        "options": {"width": 0.5, "blocks": [4, 0, 3]},
        "dataset": {"folder": "pets"},
    }
    assert spec["budgets"] == [{"metric": "params", "keep": 0.1}, {"metric": "macs", "keep": 0.3}]
    assert (spec["seeds"], spec["baselines"], spec["recipe"]["epochs"]) == ([0, 1], ["random"], 4)


@pytest.mark.parametrize(
    "words",
    [
        "search --arch vgg16",
        "search --arch vgg16 --dataset digits --budget params",
        "search --arch vgg16 --dataset digits --budget params=nan",
        "search --arch vgg16 --dataset digits --option width=wide",
        "search --arch vgg16 --dataset digits --option width=NaN",
        "search --arch vgg16 --dataset digits --option width=1e999",
        "search --arch vgg16 --dataset digits --seeds 0",
        "submit nowhere.json",
        "serve --no-auth --host 0.0.0.0",
        "serve --no-auth --host example.org",
        "serve --port 99999",
        "nonsense",
    ],
)
def test_wrong_usage_is_exit_2(words: str) -> None:
    assert RUNNER.invoke(cli.app, words.split()).exit_code == 2
    assert FakeClient.posted == []


@pytest.mark.parametrize("content", ["[1]", "a: &a [*a]", "a: .nan", "a: 2026-01-01", "a: [", "\x00"])
def test_a_spec_file_that_is_none_is_exit_2(content: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(content)
    assert RUNNER.invoke(cli.app, ["submit", str(tmp_path / "spec.yaml")]).exit_code == 2


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_submit_reads_both_forms(suffix: str, tmp_path: Path) -> None:
    spec = {"target": {"arch": "vgg11", "dataset": "digits"}}
    (tmp_path / f"spec.{suffix}").write_text(
        json.dumps(spec) if suffix == "json" else "target: {arch: vgg11, dataset: digits}"
    )
    assert RUNNER.invoke(cli.app, ["submit", str(tmp_path / f"spec.{suffix}")]).exit_code == 0
    assert FakeClient.posted == [("/v1/jobs", spec)]


def test_json_is_for_programs() -> None:
    ran = RUNNER.invoke(cli.app, ["jobs", "--json"])
    assert json.loads(ran.output)[0]["id"] == "x"


def test_what_the_service_refuses_is_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["espalier", "watch", "missing"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "no job 'missing'" in capsys.readouterr().err


def test_an_export_is_written(tmp_path: Path) -> None:
    ran = RUNNER.invoke(cli.app, ["export", "abc", "--format", "csv", "-o", str(tmp_path / "out.csv")])
    assert ran.exit_code == 0
    assert (tmp_path / "out.csv").read_bytes() == b"content"


@pytest.mark.parametrize("output", ["missing/out.csv", "."])
def test_a_file_that_cannot_be_written_is_exit_1(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["espalier", "export", "abc", "-o", str(tmp_path / output)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_a_stored_token_goes_to_this_machine_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ESPALIER_DATA_DIR", str(tmp_path))
    (tmp_path / "token").write_text("kept\n")
    RUNNER.invoke(cli.app, ["jobs"])
    assert FakeClient.made[1] == "kept"
    RUNNER.invoke(cli.app, ["jobs", "--url", "http://example.org"])
    assert FakeClient.made[1] is None
    RUNNER.invoke(cli.app, ["jobs", "--url", "http://example.org", "--token", "given"])
    assert FakeClient.made[1] == "given"
