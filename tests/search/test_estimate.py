"""What is said of a job before it runs can be said without a framework."""

from __future__ import annotations

import subprocess
import sys

from espalier.models.config import Cost
from espalier.search.estimate import PlanEstimate
from espalier.search.spec import JobSpec
from tests.search.helpers import TARGET, planned, question


def test_an_estimate_is_a_question_its_candidates_and_what_they_take() -> None:
    spec = JobSpec(target=TARGET, baselines=("uniform",))
    seen = PlanEstimate(question(spec), tuple(planned(spec)), 24, Cost(10, 20), 3, 4)
    assert seen.question.spec == spec
    assert seen.most == len(seen.candidates)
    assert (seen.candidates[0].label, seen.dense.macs, seen.epochs, seen.macs) == ("slimming parent seed 0", 20, 3, 4)


def test_the_words_of_a_search_load_no_framework() -> None:
    modules = (
        "answers.verdict", "answers.front", "answers.efficiency", "candidates", "datasets", "errors", "estimate", "events",
        "file", "machine", "planners", "recipe", "results", "schedule", "spec", "states", "upgrades", "version", "arms",
    )  # fmt: skip
    code = f"import sys, {', '.join(f'espalier.search.{one}' for one in modules)}; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
