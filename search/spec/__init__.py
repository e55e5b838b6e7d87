"""What a user asks for: target, methods, budgets, baselines, seeds, recipe. No torch."""

from espalier.search.spec.budgets import MEANT_BUDGETS, Budget, CostMetric, Ratios, Share
from espalier.search.spec.choices import Choice, MethodSpec, PlannerSpec
from espalier.search.spec.extension import Extension
from espalier.search.spec.guides import MOST_GUIDES, MOST_NAME, Guide, Kernel
from espalier.search.spec.job import JobSpec
from espalier.search.spec.seeds import MEANT_SEEDS, MOST_SEEDS, Seed, SeedRange
from espalier.search.spec.starts import INHERITING, INITS, RANKINGS, Init, Ranking
from espalier.search.spec.targets import FOLDER, Folder, Target, TransferTarget
from espalier.search.spec.tickets import TicketControlName, TicketRates, Tickets

MEANINGS = (*MEANT_SEEDS, *MEANT_BUDGETS)
"""What values may be meant as, which pydantic says between the places of what is wrong."""

__all__ = [
    "FOLDER",
    "INHERITING",
    "INITS",
    "MEANINGS",
    "MOST_GUIDES",
    "MOST_NAME",
    "MOST_SEEDS",
    "RANKINGS",
    "Budget",
    "Choice",
    "CostMetric",
    "Extension",
    "Folder",
    "Guide",
    "Init",
    "JobSpec",
    "Kernel",
    "MethodSpec",
    "PlannerSpec",
    "Ranking",
    "Ratios",
    "Seed",
    "SeedRange",
    "Share",
    "Target",
    "TicketControlName",
    "TicketRates",
    "Tickets",
    "TransferTarget",
]
