"""How many residual blocks each stage has, and which stages begin with a bare shortcut."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple


class Block(NamedTuple):
    """One place in a residual network."""

    stage: int
    downsamples: bool
    """Whether the resolution halves (and channels grow) here."""
    branch: bool
    """Whether there is a residual branch; without one, only a shortcut that changes resolution or channels is left."""


def layout(blocks: Sequence[int], bare: Collection[int]) -> Iterator[Block]:
    """The blocks of a network with `blocks[s]` residual branches in stage s (Huang & Wang 2017 remove whole ones).

    Stages in `bare` begin with the shortcut alone, since the branch of their first block is gone; so does a stage of
    no branches at all. Shortcuts that change nothing are left out.
    """
    for stage, count in enumerate(blocks):
        if stage in bare or not count:
            yield Block(stage, downsamples=stage > 0, branch=False)
        for index in range(count):
            yield Block(stage, downsamples=stage > 0 and index == 0 and stage not in bare, branch=True)
