"""Commands that submit jobs, follow and steer them: exit codes, words, and what is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from espalier.app.client import cli
from espalier.app.client.client import Client, ClientError
from espalier.search.spec import JobSpec
from tests.app.client.cli.conftest import Run
from tests.app.client.cli.fakes import FakeClient
from tests.app.world import SPEC, World


def test_search_builds_a_spec(fake: type[FakeClient], run: Run) -> None:
    words = "search --arch resnet56 --dataset folder:pets --option width=0.5 --option blocks=[4,0,3] --budget params=0.1 --budget macs=0.3 --budget li2017-A --baseline random --control reverse --init scratch --init inherited --seeds 2 --epochs 4 --plan"
    ran = run(*words.split())
    assert ran.exit_code == 0, ran.output
    ((path, spec),) = fake.posted
    assert path == "plan"
    assert spec["target"] == {
        "arch": "resnet56",
        "options": {"width": 0.5, "blocks": [4, 0, 3]},
        "dataset": {"folder": "pets"},
    }
    assert spec["budgets"] == [
        {"metric": "params", "keep": 0.1},
        {"metric": "macs", "keep": 0.3},
        {"preset": "li2017-A"},
    ]
    assert (spec["seeds"], spec["baselines"], spec["recipe"]["epochs"]) == ([0, 1], ["random"], 4)
    assert (spec["controls"], spec["inits"]) == (["reverse"], ["scratch", "inherited"])


def test_transfer_follows_a_job_elsewhere(fake: type[FakeClient], run: Run) -> None:
    ran = run(
        *[
            "transfer",
            "x",
            "--arch",
            "vgg19",
            "--option",
            "width=0.5",
            "--dataset",
            "folder:pets",
            "--method",
            "slimming",
            "--plan",
        ]
    )
    assert ran.exit_code == 0, ran.output
    ((path, spec),) = fake.posted
    assert path == "plan"
    assert spec["target"] == {
        "arch": "vgg19", "options": {"width": 0.5}, "dataset": {"folder": "pets"}, "task": "classification",
    }  # fmt: skip
    assert (spec["guides"], spec["methods"]) == ([{"job": "x"}], [{"name": "slimming"}])
    of_job = FakeClient("").job("x").spec
    assert JobSpec.model_validate(spec).budgets == of_job.budgets
    run("transfer", "x", "--plan")
    assert fake.posted[-1][1]["target"] == of_job.target.model_dump(mode="json")
    assert fake.posted[-1][1]["methods"] == []


def test_search_adds_seeds_up_to_a_limit(fake: type[FakeClient], run: Run) -> None:
    run(*["search", "--arch", "vgg11", "--dataset", "digits", "--seeds", "3", "--most-seeds", "9", "--plan"])
    assert fake.posted[-1][1]["seeds"] == {"from": 3, "most": 9}
    assert run(*["search", "--arch", "vgg11", "--dataset", "digits", "--most-seeds", "0"]).exit_code == 2


def test_a_smoke_run_is_asked_for_in_a_word(fake: type[FakeClient], run: Run, tmp_path: Path) -> None:
    run(*["search", "--arch", "vgg11", "--dataset", "digits", "--smoke", "--plan"])
    assert fake.posted[-1][1]["smoke"] is True
    (tmp_path / "spec.json").write_text('{"target": {"arch": "vgg11", "dataset": "digits"}}')
    run("submit", str(tmp_path / "spec.json"), "--smoke", "--plan")
    assert fake.posted[-1][1]["smoke"] is True
    run("submit", str(tmp_path / "spec.json"), "--plan")
    assert "smoke" not in fake.posted[-1][1]


@pytest.mark.parametrize(
    "words",
    [
        "search --arch vgg16",
        "search --arch vgg16 --dataset digits --budget params=",
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
def test_wrong_usage_is_exit_2(words: str, fake: type[FakeClient], run: Run) -> None:
    assert run(*words.split()).exit_code == 2
    assert fake.posted == []


@pytest.mark.parametrize("content", ["[1]", "a: &a [*a]", "a: .nan", "a: 2026-01-01", "a: [", "\x00"])
def test_a_spec_file_that_is_none_is_exit_2(content: str, tmp_path: Path, fake: type[FakeClient], run: Run) -> None:
    del fake
    (tmp_path / "spec.yaml").write_text(content)
    assert run("submit", str(tmp_path / "spec.yaml")).exit_code == 2


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_submit_reads_both_forms(suffix: str, tmp_path: Path, fake: type[FakeClient], run: Run) -> None:
    spec = {"target": {"arch": "vgg11", "dataset": "digits"}}
    (tmp_path / f"spec.{suffix}").write_text(
        json.dumps(spec) if suffix == "json" else "target: {arch: vgg11, dataset: digits}"
    )
    assert run("submit", str(tmp_path / f"spec.{suffix}")).exit_code == 0
    assert fake.posted == [("submit", spec)]


@pytest.mark.parametrize("number", ["1e-4", "1E-4", "+1.e-4", "1.0e-04", ".1e-3", "0.0001"])
def test_numbers_with_exponents_are_numbers(number: str, tmp_path: Path, fake: type[FakeClient], run: Run) -> None:
    """PyYAML alone reads `1e-4` as a word, in JSON, too."""
    (tmp_path / "spec.yaml").write_text(f'{{"a": {number}, "b": ["x1e-4", "1e-4"]}}')
    assert run("submit", str(tmp_path / "spec.yaml")).exit_code == 0
    assert fake.posted == [("submit", {"a": 0.0001, "b": ["x1e-4", "1e-4"]})]


def test_json_is_for_programs(fake: type[FakeClient], run: Run) -> None:
    del fake
    ran = run("jobs", "--json")
    assert json.loads(ran.output)[0]["id"] == "x"


def test_what_the_service_refuses_is_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fake: type[FakeClient]
) -> None:
    del fake
    monkeypatch.setattr("sys.argv", ["espalier", "watch", "missing"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "no job 'missing'" in capsys.readouterr().err


def test_a_key_makes_a_repeated_submission_the_same_job(fake: type[FakeClient], run: Run, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    assert run("submit", str(tmp_path / "spec.json"), "--idempotency-key", "once").exit_code == 0
    assert (fake.posted, fake.key) == ([("submit", SPEC)], "once")


def test_listing_asks_for_what_was_said(fake: type[FakeClient], run: Run) -> None:
    ran = run("jobs", "--state", "queued", "--most", "3")
    assert (ran.exit_code, fake.posted) == (0, [("jobs", (3, "queued"))])
    assert "a job" in ran.output


@pytest.mark.parametrize("verb", ["cancel", "retry", "pause", "resume"])
def test_steering_says_what_became_of_the_job(fake: type[FakeClient], run: Run, verb: str) -> None:
    ran = run(verb, "x", "--json")
    assert (ran.exit_code, fake.posted) == (0, [(verb, "x")])
    told = json.loads(ran.output)
    assert (told["cancel_requested"], told["pause_requested"]) == (verb == "cancel", verb == "pause")


def test_a_priority_is_a_number(fake: type[FakeClient], run: Run) -> None:
    for number in (7, -7):
        assert json.loads(run("priority", "x", "--json", "--", str(number)).output)["priority"] == number
    assert run("priority", "x", "500").exit_code == 2
    assert fake.posted == [("prioritise", ("x", 7)), ("prioritise", ("x", -7))]


def test_methods_have_options(fake: type[FakeClient], run: Run) -> None:
    words = "search --arch vgg11 --dataset digits --method taylor --method slimming:passes=2,across=max --plan"
    assert run(*words.split()).exit_code == 0
    ((_, spec),) = fake.posted
    assert spec["methods"] == [{"name": "taylor"}, {"name": "slimming", "options": {"passes": 2, "across": "max"}}]


@pytest.mark.parametrize("text", ["slimming:", "slimming:passes", "slimming:passes=", "slimming:=2", "slimming:a=1,"])
def test_options_that_are_none_are_refused(fake: type[FakeClient], run: Run, text: str) -> None:
    ran = run("search", "--arch", "vgg11", "--dataset", "digits", "--method", text)
    assert (ran.exit_code, fake.posted) == (2, [])
    assert "expected NAME:option=value" in ran.output


def test_a_job_is_extended_by_what_is_said(fake: type[FakeClient], run: Run) -> None:
    words = (
        "extend x --method taylor:batches=2 --budget params=0.05 --baseline capped --control reverse --seed 3 --seed 4"
    )
    assert run(*words.split()).exit_code == 0
    ((verb, more),) = fake.posted
    assert verb == "extend"
    assert more == {
        "methods": [{"name": "taylor", "options": {"batches": 2}}],
        "budgets": [{"metric": "params", "keep": 0.05}],
        "baselines": ["capped"],
        "controls": ["reverse"],
        "seeds": [3, 4],
    }


# --- with a service ---------------------------------------------------------------------------------------------------


def test_a_job_is_submitted_watched_and_steered(reached: Client, world: World, run: Run, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    submitted = json.loads(run("submit", str(tmp_path / "spec.json"), "--json").output)
    assert submitted["state"] == "queued"
    assert json.loads(run("pause", submitted["id"], "--json").output)["state"] == "paused"
    assert json.loads(run("resume", submitted["id"], "--json").output)["state"] == "queued"
    assert json.loads(run("priority", submitted["id"], "3", "--json").output)["priority"] == 3
    assert json.loads(run("cancel", submitted["id"], "--json").output)["state"] == "cancelled"
    assert json.loads(run("retry", submitted["id"], "--json").output)["state"] == "queued"
    assert world.runner.run_one()
    watched = run("watch", submitted["id"], "--json")
    assert watched.exit_code == 0
    told = json.loads(watched.stdout)
    assert set(told) == {"job", "pareto", "verdict"}
    assert told["job"]["state"] == "succeeded"
    assert told["verdict"] == reached.verdict(submitted["id"]).model_dump(mode="json")


def test_a_finished_job_is_extended(reached: Client, world: World, run: Run) -> None:
    job = world.finish()
    assert reached.job(job).spec.seeds == tuple(SPEC["seeds"])
    answer = json.loads(run("extend", job, "--seed", "9", "--json").output)
    assert (answer["state"], answer["spec"]["seeds"]) == ("queued", [*SPEC["seeds"], 9])
    refused = run("extend", job, "--seed", "9")
    assert "nothing is added" in str(refused.exception)


def test_a_plan_is_shown_and_nothing_runs(reached: Client, run: Run, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    ran = run("submit", str(tmp_path / "spec.json"), "--plan")
    assert "slimming parent seed 0" in ran.output
    assert reached.jobs() == []


def test_a_job_that_fails_is_exit_1_and_says_why(
    reached: Client, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del reached
    world.executor.broken = lambda _: "the loss became nan"
    job_id = world.finish()
    monkeypatch.setattr("sys.argv", ["espalier", "watch", job_id])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert f"job {job_id} failed: no verdict is left to give: the loss became nan" in capsys.readouterr().err


def test_a_spec_that_is_refused_is_exit_1(
    reached: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "espalier search --arch vgg11 --dataset digits --budget params=7"
    monkeypatch.setattr("sys.argv", words.split())
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "Unprocessable Entity (422)" in capsys.readouterr().err
    assert reached.jobs() == []


def test_names_are_data(world: World, reached: Client, run: Run, tmp_path: Path) -> None:
    """A name with markup breaks no table, and one with escapes writes to no terminal."""
    del reached
    name = "weird [/nope] [bold]tag \x1b]0;pwned\x07 <script>"
    job_id = world.finish(name=name)
    for words in (("jobs",), ("watch", job_id), ("report", job_id, "-o", str(tmp_path / "page.md"))):
        ran = run(*words)
        assert ran.exit_code == 0, ran.output
        assert "\x1b]0" not in ran.output
    shown = " ".join(run("jobs").output.split())
    assert "weird [/nope]" in shown
    page = (tmp_path / "page.md").read_text()
    assert page.startswith(r"# weird \[/nope\] \[bold\]tag")
    assert "\x1b" not in page


def test_errors_are_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reached: Client) -> None:
    del reached
    monkeypatch.setattr("sys.argv", ["espalier", "catalog", "[/x]\x1b[31m"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    told = capsys.readouterr().err
    assert "no architecture '[/x]" in told
    assert "\x1b[31m" not in told


def test_a_job_is_deleted_only_when_it_is_meant(reached: Client, world: World, run: Run) -> None:
    job = world.finish(name="precious")
    refused = run("delete", job, typed="n\n")
    assert refused.exit_code == 1
    assert "precious" in refused.output
    assert reached.job(job).id == job
    assert run("delete", job, typed="y\n").exit_code == 0
    with pytest.raises(ClientError):
        reached.job(job)
    other = world.finish()
    assert json.loads(run("delete", other, "--yes", "--json").stdout) == {"deleted": other}


def test_trainings_are_listed(reached: Client, world: World, run: Run) -> None:
    world.executor.broken = lambda one: "it burst" if one.origin.kind == "uniform" else None
    job = world.finish()
    text = run("candidates", job).output
    assert "it burst" in text
    assert text.count("succeeded") == 7
    assert len(json.loads(run("candidates", job, "--most", "3", "--json").stdout)) == 3
    del reached
