"""The front as a picture: one panel for each cost, every curve named, and the same picture for the same front."""

from __future__ import annotations

from xml.etree import ElementTree

from espalier.app import charts
from espalier.app.charts.figures import LOOKS, MOST_LEARNING, looks_of
from espalier.app.client.client import Client
from espalier.search.answers.front import pareto
from espalier.search.answers.patterns import pattern, weight_pattern
from espalier.search.answers.tickets import tickets
from espalier.search.answers.values import CostName, Pareto
from espalier.search.question import Place
from espalier.search.results import CurvePoint
from espalier.search.spec import Budget, Target
from tests.app.world import World
from tests.search.answers.test_tickets import outcomes
from tests.search.helpers import candidate, outcome, result


def texts(svg: str) -> str:
    """Words that are written in a picture."""
    return " ".join(one.text or "" for one in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"))


def test_the_picture_is_the_same_for_the_same_front(world: World, client: Client) -> None:
    front = client.pareto(world.finish())
    assert charts.front([front]) == charts.front([front])


def front(cost: CostName = "params") -> Pareto:
    """A small front."""
    outcomes = [
        outcome("dense", 0.9, 100_000),
        *(
            outcome("uniform", 0.5 + keep, round(100_000 * keep), keep=keep, seed=s)
            for keep in (0.1, 0.3)
            for s in (0, 1)
        ),
        outcome("pruned", 0.85, 10_000, keep=0.1),
    ]
    return pareto(outcomes, cost)


def test_every_curve_and_the_dense_network_are_named() -> None:
    words = texts(charts.front([front()]))
    for part in ("slimming", "uniform", "dense, 100 k", "parameters", "test accuracy, %"):
        assert part in words, part


def test_results_of_papers_are_a_layer_of_their_own() -> None:
    reported = Target(arch="resnet56", dataset="cifar10")
    found = [outcome("dense", 0.9, 100_000, target=reported), outcome("uniform", 0.8, 10_000, target=reported)]
    words = [texts(charts.front([pareto(found, cost)])) for cost in ("params", "macs", "latency")]  # type: ignore[arg-type]
    assert ["in papers" in one for one in words] == [True, True, False]
    assert "in papers" not in texts(charts.front([front()]))


def test_a_panel_for_each_cost() -> None:
    words = texts(charts.front([front("params"), front("macs"), front("latency")]))
    for part in ("parameters", "multiply-adds per image", "milliseconds per image, one thread"):
        assert part in words, part


def test_a_job_of_many_curves_has_a_panel_for_each_way_of_training() -> None:
    outcomes = [outcome("dense", 0.9, 100_000)]
    for method in ("slimming", "taylor", "l1_norm", "thinet", "soft_filter"):
        for init in ("scratch", "inherited"):
            outcomes += [outcome("pruned", 0.8, 10_000, method=method, keep=0.1, init=init, metric="macs")]
    words = texts(charts.front([pareto(outcomes, "params"), pareto(outcomes, "macs")]))
    for part in ("fine-tuned", "scratch", "slimming", "soft_filter", "multiply-adds per image"):
        assert part in words, part
    assert "parameters" not in words
    assert "slimming inherited" not in words
    one_way = [one for one in outcomes if one[0].init == "scratch"]
    assert "fine-tuned" not in texts(charts.front([pareto(one_way, "params")]))


def test_settings_of_one_method_are_curves_of_their_own() -> None:
    strong = outcome("pruned", 0.8, 10_000, method="slimming", keep=0.1)
    other = outcome("pruned", 0.8, 10_000, method="slimming", keep=0.1, init="inherited")
    words = texts(charts.front([pareto([strong, other], "params")]))
    assert "slimming inherited" in words


def test_nothing_yet_is_a_picture_too() -> None:
    ElementTree.fromstring(charts.front([pareto([], "params")]))


def test_tickets_that_know_no_early_stop_are_one_panel() -> None:
    answer = tickets(outcomes("dense", 0, [0.9, 0.92]) + outcomes("ticket", 1, [0.9, 0.91]))
    words = texts(charts.tickets(answer))
    assert "test accuracy, %" in words
    assert "early stop, steps" not in words
    assert charts.tickets(answer) == charts.tickets(answer)


def test_tickets_that_do_are_three() -> None:
    answer = tickets(
        outcomes("dense", 0, [0.9, 0.92], [10, 20])
        + outcomes("ticket", 1, [0.9, 0.91], [10, 20])
        + outcomes("reinit", 1, [0.9, 0.91], [10, 20])
    )
    words = texts(charts.tickets(answer))
    assert all(word in words for word in ("test accuracy, %", "early stop, steps", "ticket", "reinit"))


def test_no_tickets_yet_are_a_picture_too() -> None:
    ElementTree.fromstring(charts.tickets(tickets([])))


def test_several_jobs_are_one_picture() -> None:
    words = texts(charts.compared({"one": front("macs"), "other <b>": front("macs")}))
    for part in ("one: slimming", "other <b>: uniform", "one, other <b>: dense, 1 M", "multiply-adds per image"):
        assert part in words, part


def test_learning_curves_are_means_over_seeds_where_they_were_looked_at() -> None:
    curves = [{0: 0.2, 5: 0.4}, {0: 0.4, 5: 0.6, 10: 0.8}]
    found = [
        (
            candidate("uniform", seed=seed),
            tuple(CurvePoint(step=None, epoch=epoch, metrics={"accuracy": value}) for epoch, value in curve.items()),
        )
        for seed, curve in enumerate(curves)
    ]
    svg = charts.learning([(one, result(one)) for one, _ in found], {one.key: curve for one, curve in found})
    said = [title.text for title in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]
    assert said[1:] == ["uniform params=0.5, epoch 11: 80.00 %"], "one stop for the keyboard, at its end"
    assert svg.count("<circle") == 4, "three points, and the legend's"
    assert "epoch" in texts(charts.learning([], {}))


def test_what_still_trains_is_drawn_as_far_as_it_is() -> None:
    svg = charts.learning([], {}, running={"dense seed 0": [(0, 0.25), (1, 0.5)], "dense seed 1": []})
    said = [title.text for title in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]
    assert said[1:] == ["dense seed 0, now, epoch 2: 50.00 %"]


def test_long_and_many_curves_are_thinned_out() -> None:
    curve = tuple(CurvePoint(step=None, epoch=epoch, metrics={"accuracy": 0.5}) for epoch in range(500))
    found = [(candidate("uniform", keep=n / 100), n) for n in range(1, 60)]
    svg = charts.learning([(one, result(one)) for one, _ in found], {one.key: curve for one, _ in found})
    assert svg.count('tabindex="0"') == MOST_LEARNING
    assert len(svg) < 200_000


def test_what_is_cut_and_not_trained_learns_nothing() -> None:
    one = candidate("pruned", init="untuned")
    curve = (CurvePoint(step=0, epoch=0, metrics={"accuracy": 0.5}),)
    assert 'class="series"' not in charts.learning([(one, result(one))], {one.key: curve})


def test_every_look_is_another_one() -> None:
    assert len(set(LOOKS)) == len(LOOKS) == 49
    assert all(len({getattr(look, part) for look in LOOKS[:7]}) == 7 for part in ("colour", "shape"))


def test_a_way_that_has_no_name_is_drawn_too() -> None:
    outcomes = [outcome("dense", 0.9, 100_000)]
    for method in ("slimming", "taylor", "l1_norm", "thinet", "soft_filter"):
        for init in ("scratch", "inherited"):
            outcomes += [outcome("pruned", 0.8, 10_000, method=method, keep=0.1, init=init)]
    found = pareto(outcomes, "params")
    found = found.model_copy(
        update={"points": (found.points[0].model_copy(update={"init": "rewound"}), *found.points[1:])}
    )
    svg = charts.front([found])
    assert "rewound" in texts(svg)
    points = [one for one in ElementTree.fromstring(svg).iter() if "over 1 seeds" in one.get("aria-label", "")]
    assert len(points) == 10


def test_patterns_lie_over_each_other_by_depth() -> None:
    places = [Place("a", 10, 0), Place("b", 20, 1)]
    budget = Budget(metric="params", keep=0.1)
    one = pattern("slimming", budget, places, [{"a": 5, "b": 2}, {"a": 7, "b": 2}])
    kernel = ((0.1, 0.2, 0.1), (0.2, 0.9, 0.2), (0.1, 0.2, 0.1))
    masked = weight_pattern("magnitude", budget, [], [{0: kernel, 2: kernel}])
    svg = charts.kept({"one": one, "<other>": masked})
    assert "one <other>" in texts(svg)
    marks = [mark.get("aria-label") for mark in ElementTree.fromstring(svg).iter() if mark.get("role") == "img"]
    said = [mark for mark in marks if mark and "% kept" in mark]
    assert said[:2] == ["one, a: 60.00 ± 14.14 % kept", "one, b: 10.00 ± 0.00 % kept"]
    assert [mark.split(":")[0] for mark in said[2:]] == ["<other>, stage 0", "<other>, stage 2"]


def test_usual_arms_look_the_same_in_every_picture() -> None:
    few, many = looks_of({"uniform", "taylor"}), looks_of({"uniform", "capped", "guided", "slimming", "taylor"})
    assert few["uniform"] == many["uniform"]
    assert len(set(many.values())) == len(many)
    assert looks_of({"b", "a"}) == {"a": LOOKS[0], "b": LOOKS[1]}, "without any of them, all looks are there"
