"""Tables for people: words, numbers to the right, and Markdown of the same."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from espalier.app import tables
from espalier.app.charts.bars import Bar
from espalier.app.client.client import Client
from espalier.app.tables import table
from espalier.app.words import make_console
from espalier.search.answers.front import pareto
from espalier.search.answers.patterns import KnownPattern, Patterns, Transfer, pattern, similarity, weight_pattern
from espalier.search.answers.values import Sample
from espalier.search.answers.verdict import answer
from espalier.search.question import Place
from espalier.search.results import Effort, Ledger
from espalier.search.spec import Budget, Target
from tests.app.client.values import job, planned_candidate
from tests.app.fakes import latency_of
from tests.app.world import World
from tests.search.helpers import outcome

OUTCOMES = [
    *(outcome("dense", 0.9 + 0.01 * seed, 100_000, seed=seed) for seed in (0, 1)),
    *(outcome("pruned", 0.85 + 0.01 * seed, 10_000, keep=0.1, seed=seed) for seed in (0, 1)),
    *(outcome("uniform", 0.65 + 0.01 * seed, 10_000, keep=0.1, seed=seed) for seed in (0, 1)),
]


def printed(what: Any, width: int = 80) -> str:
    """What a terminal of that width shows."""
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_a_table_is_printed_and_is_markdown() -> None:
    found = table("Things", ("name", "n"), [("a", 1), ("b", 20)])
    assert found.rows == (("a", "1"), ("b", "20"))
    assert found.markdown().splitlines() == ["| name | n |", "| --- | ---: |", "| a | 1 |", "| b | 20 |"]
    lines = [line.rstrip() for line in printed(found).splitlines()]
    assert lines[-2:] == ["a      1", "b     20"], "numbers stand to the right"


def test_a_table_of_nothing_is_its_head() -> None:
    assert table("Things", ("name", "n"), []).markdown().splitlines() == ["| name | n |", "| --- | --- |"]


def test_a_front_fits_a_terminal_and_marks_its_points() -> None:
    found = tables.pareto(pareto(OUTCOMES, "params"))
    assert max(map(len, printed(found).splitlines())) <= 80
    by_name = {row[1]: row for row in found.rows}
    assert [by_name[name][0] for name in ("dense", "slimming", "uniform")] == ["● 100%", "● 100%", " 0%"]
    assert by_name["slimming"][2:5] == ("params=0.1", "10 k", "100 k")
    assert by_name["slimming"][6:8] == ("85.50 ± 0.71", "2")
    assert "chosen by the hold-out" in found.title


def test_of_two_fronts_each_point_says_on_which_it_is() -> None:
    found = tables.pareto(pareto(OUTCOMES, "params"), pareto(OUTCOMES, "macs"))
    assert {row[1]: row[0] for row in found.rows} == {
        "dense": "params 100%, macs 100%",
        "slimming": "params 100%, macs 100%",
        "uniform": "",
    }


def test_verdicts_and_efficiency_in_words() -> None:
    found = answer(OUTCOMES)
    (row,) = tables.verdict(found).rows
    assert row[:4] == ("params=0.1", "slimming 85.50", "uniform 65.50", "+20.00")
    assert row[-1] == "better"
    assert row[4].startswith("[+")
    rows = tables.efficiency(found).rows
    assert {row[:2] for row in rows} == {("slimming vs uniform", "params"), ("slimming vs uniform", "macs")}


def test_how_good_an_arm_is_over_all_costs() -> None:
    fronts = [pareto(OUTCOMES, "params"), pareto(OUTCOMES, "macs")]
    found = tables.hypervolume(fronts)
    assert found.columns == ("widths", "over params", "over macs")
    assert [row[0] for row in found.rows] == ["slimming", "uniform"]
    value, interval = fronts[0].hypervolume["slimming"], fronts[0].hypervolume_intervals["slimming"]
    assert interval is not None
    assert found.rows[0][1] == f"{100 * value:.2f} [{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]"
    assert tables.hypervolume([pareto([], "params")]).rows == ()


def test_what_stays_of_each_stage() -> None:
    bars = [Bar("a", 0, 10, [5, 10]), Bar("b", 1, 200, [20, 200]), Bar("c", 1, 200, [40, 0])]
    found = tables.stages(bars, ["one", "other"])
    assert found.columns == ("stage", "channels", "one", "other")
    assert found.rows == (("0", "10", "5 (50.0 %)", "10 (100.0 %)"), ("1", "400", "60 (15.0 %)", "200 (50.0 %)"))


def test_patterns_are_shares_of_stages() -> None:
    budget, places = Budget(metric="params", keep=0.1), [Place("a", 10, 0), Place("b", 20, 1)]
    one = pattern("slimming", budget, places, [{"a": 5, "b": 2}, {"a": 7, "b": 2}])
    found = tables.patterns(Patterns(patterns=(one,)))
    assert found.columns == ("pattern", "budget", "stage 0", "stage 1", "n")
    assert found.rows == (("slimming", "params=0.1", "60.00 ± 14.14", "10.00 ± 0.00", "2"),)
    assert tables.patterns(Patterns(patterns=())).rows == ()
    (row,) = tables.similarities([(one, one, similarity(one, one))]).rows
    assert row == ("slimming and slimming", "params=0.1", "+1.00", "+1.00", "+1.00", "-"), "two groups are a line"
    other = one.model_copy(update={"budget": Budget(metric="macs", keep=0.2)})
    (row,) = tables.similarities([(one, other, similarity(one, other))]).rows
    assert row[1] == "params=0.1 and macs=0.2"


def test_patterns_of_single_weights_are_shares_of_kernels() -> None:
    kernel = ((0.1, 0.2, 0.1), (0.2, 0.9, 0.2), (0.1, 0.2, 0.1))
    one = weight_pattern("magnitude", Budget(metric="params", keep=0.1), [], [{0: kernel, 2: kernel}])
    found = tables.kernels(Patterns(patterns=(one,)))
    assert found is not None
    assert found.rows[1] == ("magnitude", "params=0.1", "2", "10 20 10", "20 90 20", "10 20 10")
    assert tables.kernels(Patterns(patterns=())) is None
    assert tables.patterns(Patterns(patterns=(one,))).columns == ("pattern", "budget", "stage 0", "stage 2", "n")


def test_latencies_say_how_many_images_and_on_what() -> None:
    outcomes = [outcome("dense", params=1000), outcome("uniform", params=400)]
    front = pareto(outcomes, "latency", {found.config.id: latency_of(found.config) for _, found in outcomes})
    found = tables.latency(front)
    assert found.title == "Milliseconds, median and quartiles, on none"
    assert found.columns == ("widths", "budget", "1 image, 1 thread", "16 images, 1 thread")
    assert found.rows[0] == ("uniform", "params=0.5", "4.00 (3.60 to 4.40)", "40.00 (36.00 to 44.00)")
    assert tables.latency(pareto(outcomes, "latency")).rows == tables.latency(pareto([], "latency")).rows == ()


def test_the_library_says_what_following_patterns_did() -> None:
    one = pattern(
        "slimming", Budget(metric="params", keep=0.1), [Place("a", 10, 0), Place("b", 20, 1)], [{"a": 5, "b": 2}]
    )
    same, target = Sample(mean=0.5, std=None, n=1), Target(arch="vgg11", dataset="digits")
    record = [
        Transfer(
            job="k", target=target, budget=one.budget, against=against, guided=same, baseline=same,
            difference=0.0, interval=None, answer=answer,
        )
        for against, answer in (("uniform", "better"), ("random", "worse"), ("capped", "better"))
    ]  # fmt: skip
    known = KnownPattern(id="abc", job="j", target=target, pattern=one, record=tuple(record))
    rows = tables.library([known, known.model_copy(update={"record": ()})]).rows
    assert rows[0] == ("abc", "vgg11 digits", "slimming", "params=0.1", "50 10", "2 better, 1 worse")
    assert rows[1][-1] == "-"


def test_without_spread_there_is_no_interval() -> None:
    found = answer([OUTCOMES[2], OUTCOMES[4]])
    (row,) = tables.verdict(found).rows
    assert row[4:] == ("-", "undecided", "undecided")
    assert {row[2:] for row in tables.efficiency(found).rows} == {
        ("-", "-", "one budget makes no curve, and the dense network has no result", "-")
    }
    assert found.verdicts[0].untold == "one seed shows no spread"
    assert "1 of 1 comparisons can tell nothing from chance: one seed shows no spread." in found.summary


def test_two_settings_of_one_method_are_two_rows() -> None:
    more = outcome("pruned", 0.8, 10_000, keep=0.1, seed=0, init="inherited")
    rows = tables.verdict(answer([*OUTCOMES, more])).rows
    assert [row[1] for row in rows] == ["slimming 85.50", *["slimming inherited lr=0.1 80.00"] * 2], (
        "widths, then weights"
    )


def test_jobs_and_candidates() -> None:
    assert tables.jobs([job()]).rows == (("x", "a job", "queued", "0/3", "2026-01-01T00:00:00"),)
    assert tables.candidates([planned_candidate("uniform", 7)]).rows == (("uniform params=0.5 seed 0", "7"),)


def test_an_architecture_shows_its_groups_and_what_stays_dense(client: Client) -> None:
    head, groups, kept = tables.architecture(client.describe("vgg11", classes=5, shape="1,32,32"))
    assert isinstance(head, str)
    assert head.startswith("vgg11 for 5 classes of 1x32x32: ")
    assert isinstance(groups, tables.Table)
    assert isinstance(kept, tables.Table)
    assert groups.rows[0][:2] == ("features.0", "64")
    assert kept.rows == (("classifier", "network output"),)


def test_the_catalog_shows_what_can_be_set_and_who_finds_widths(client: Client) -> None:
    found = {row[0]: row for row in tables.entries("methods", client.catalog("methods")).rows}
    assert found["slimming"][1:3] == (
        "found",
        'strength=1.0, penalty=null, passes=1, early_bird=0.0, window=5, across="mean"',
    )
    assert found["thinet"][1] == "given"
    assert 'objective="remove"' in found["thinet"][2]
    architectures = tables.entries("architectures", client.catalog("architectures")).rows
    assert tuple(row[0] for row in architectures if row[0] in ("vgg16", "torchvision/…")) == ("vgg16", "torchvision/…")
    assert len(architectures) < 60, "large packages are one line each"
    assert tables.entries("exports", client.catalog("exports")).columns == ("name", "description")


def test_names_are_data() -> None:
    """Markup, escapes and Markdown in a name are shown, and mean nothing."""
    rogue = "[/nope] [bold]x \x1b[31m | <b>"
    found = table("Jobs", ("name",), [(rogue,)])
    assert found.rows == (("[/nope] [bold]x \ufffd[31m | <b>",),)
    console = make_console()
    with console.capture() as captured:
        console.print(found)
    assert found.rows[0][0] in captured.get()
    assert found.markdown().splitlines()[-1] == r"| \[/nope\] \[bold\]x �\[31m \| \<b\> |"


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (("1", "20", "-"), True),
        (("110.1 k", "+2.50", "98.15 ± 0.58", "0.68x", "98.5 %", "3/11"), True),
        (("48a68aa0fd403503", "1"), False),
        (("1,797 hand-written digits", "70,000 digits"), False),
        (("2026-11-25T10:00:00",), False),
        ((), False),
    ],
)
def test_numbers_alone_stand_to_the_right(cells: tuple[str, ...], right: bool) -> None:
    rule = table("", ("x",), [(cell,) for cell in cells]).markdown().splitlines()[1]
    assert rule == ("| ---: |" if right else "| --- |")


def test_methods_are_held_against_ways_of_training() -> None:
    points = [
        *(outcome("pruned", 0.8 + seed / 100, 400, keep=0.1, seed=seed) for seed in (0, 1)),
        outcome("pruned", 0.6, 400, keep=0.1, init="inherited"),
        outcome("pruned", 0.5, 400, keep=0.1, method="taylor", init="inherited"),
        outcome("uniform", 0.7, 400, keep=0.1),
        outcome("dense", 0.9, 1000),
    ]
    one, result_of = outcome("uniform", 0.75, 400, keep=0.1)
    longer = one.model_copy(update={"recipe": one.recipe.model_copy(update={"match": "compute"})})
    found = tables.comparison(pareto([*points, (longer, result_of)], "params"))
    assert found.columns == ("budget", "widths", "fine-tuned", "scratch", "compute")
    assert found.rows == (
        ("params=0.1", "slimming", "60.00", "80.50 ± 0.71", "-"),
        ("params=0.1", "taylor", "50.00", "-", "-"),
        ("params=0.1", "uniform", "-", "70.00", "75.00"),
    )
    assert tables.comparison(pareto([*points[:2], points[4]], "params")).rows == ()


def test_networks_that_were_not_measured_are_left_out_of_latencies() -> None:
    found = [outcome("dense", 0.9, 1000), outcome("uniform", 0.8, 100), outcome("random", 0.7, 100)]
    measured = {result.config.id: latency_of(result.config) for _, result in found[1:]}
    table = tables.latency(pareto(found, "params", measured))
    assert [row[0] for row in table.rows] == ["random", "uniform"] or len(table.rows) == 2
    assert len({len(row) for row in (*table.rows, table.columns)}) == 1
    table.markdown()


def test_accuracy_against_training_compute_is_by_what_everything_took(client: Client, world: World) -> None:
    """Of a parent nothing is told: whatever was cut from it has it in its own ledger."""
    trained = client.candidates(world.finish())
    took = {"dense": 10, "slimming": 30, "uniform": 5, "slimming parent": 12}
    known = [
        one.model_copy(
            update={
                "ledger": Ledger(
                    own=Effort(epochs=3, macs=1000 * (one.seed + 1)), pipeline=Effort(macs=took[one.arm.name] * 10**9)
                )
            }
        )
        for one in trained
    ]
    rows = tables.effort(known).rows
    assert [row[0] for row in rows] == [
        "uniform params=0.1", "uniform params=0.5", "dense", "slimming params=0.1", "slimming params=0.5",
    ]  # fmt: skip
    assert rows[3][1:5] == ("3", "1.5 k", "30 G", "3.00")
    assert rows[3][6] == "2"
    assert tables.effort(one.model_copy(update={"ledger": None}) for one in trained).rows == (), "of an earlier release"
