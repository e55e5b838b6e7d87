"""How weights begin, and what rankings are held against their own. No torch."""

from __future__ import annotations

from typing import Literal

Init = Literal["scratch", "inherited", "untuned", "distilled", "rewound"]
"""scratch: fresh weights; inherited: the parent's, fine-tuned; untuned: the parent's, not trained any more;
distilled: fresh ones, taught by the dense network; rewound: the parent's, as they were when its training began, or
shortly after."""
AskedInit = Literal["scratch", "inherited", "untuned", "distilled"]
INHERITING: frozenset[Init] = frozenset({"inherited", "untuned"})
"""Those that begin with the weights that the parent was left with."""
Ranking = Literal["reverse", "no_penalty", "shuffled", "shuffled_across"]
"""A control's: the least important stay; scores of a parent that was trained without the method's penalty; scores dealt
out at random within each group, or across all groups."""
