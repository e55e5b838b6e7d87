"""Arms whose widths come of a method's scores: named by all that makes them another curve."""

from __future__ import annotations

from espalier.search.arms.control import Control
from espalier.search.arms.pruned import Pruned
from espalier.search.spec import Budget
from tests.search.helpers import SLIMMING

BUDGET = Budget(metric="params", keep=0.3)


def test_names_say_the_method_the_control_and_the_start() -> None:
    one = Pruned(method=SLIMMING, budget=BUDGET)
    other = Control(method=SLIMMING, budget=BUDGET, ranking="shuffled", init="inherited")
    assert (one.name, one.control) == ("slimming", None)
    assert one.model_copy(update={"init": "inherited"}).name == "slimming inherited"
    assert (other.name, other.control) == ("slimming shuffled inherited", "shuffled")
