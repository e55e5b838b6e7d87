"""How weights begin, and what rankings are held against their own. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

AskedInit = Literal["scratch", "inherited", "untuned", "distilled"]
INITS: Mapping[AskedInit, str] = {
    "scratch": "fresh weights",
    "inherited": "the parent's weights, fine-tuned",
    "untuned": "the parent's weights, not trained any more",
    "distilled": "fresh weights, taught by the dense network",
}
Init = Literal[AskedInit, "rewound"]
"""rewound: the parent's weights, as they were when its training began, or shortly after."""
INHERITING: frozenset[Init] = frozenset({"inherited", "untuned"})
"""Those that begin with the weights that the parent was left with."""
Ranking = Literal["reverse", "no_penalty", "shuffled", "shuffled_across"]
RANKINGS: Mapping[Ranking, str] = {
    "reverse": "the least important stay",
    "no_penalty": "scores of a parent that was trained without the method's penalty",
    "shuffled": "scores dealt out at random within each group",
    "shuffled_across": "scores dealt out at random across all groups",
}
"""A control's."""
