"""What to try and what it means: arms, planners, methods, training, answers, exports. No database, no HTTP.

The names below are what a script may import from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from espalier.models.lazily import face

if TYPE_CHECKING:
    from espalier.search.answers.front import pareto as pareto
    from espalier.search.answers.values import Pareto as Pareto
    from espalier.search.answers.values import Verdict as Verdict
    from espalier.search.answers.verdict import answer as answer
    from espalier.search.arms.base import Origin as Origin
    from espalier.search.candidates import Candidate as Candidate
    from espalier.search.errors import SearchError as SearchError
    from espalier.search.exports import export as export
    from espalier.search.exports.documents import read_document as read_document
    from espalier.search.methods.base import Parent as Parent
    from espalier.search.methods.base import PruningMethod as PruningMethod
    from espalier.search.planners.base import Planner as Planner
    from espalier.search.recipe import Recipe as Recipe
    from espalier.search.regularizer import Regularizer as Regularizer
    from espalier.search.results import Execution as Execution
    from espalier.search.results import Result as Result
    from espalier.search.spec import Budget as Budget
    from espalier.search.spec import JobSpec as JobSpec
    from espalier.search.spec import Ratios as Ratios
    from espalier.search.spec import Target as Target
    from espalier.search.tasks.base import Task as Task

PUBLIC = {
    "Budget": "spec",
    "Candidate": "candidates",
    "Execution": "results",
    "JobSpec": "spec",
    "Origin": "arms.base",
    "Parent": "methods.base",
    "Pareto": "answers.values",
    "Planner": "planners.base",
    "PruningMethod": "methods.base",
    "Ratios": "spec",
    "Recipe": "recipe",
    "Regularizer": "regularizer",
    "Result": "results",
    "SearchError": "errors",
    "Target": "spec",
    "Task": "tasks.base",
    "Verdict": "answers.values",
    "answer": "answers.verdict",
    "export": "exports",
    "pareto": "answers.front",
    "read_document": "exports.documents",
}

__getattr__ = face(__name__, PUBLIC)
