"""How much each channel matters, and which are kept when so many may stay. The ground floor of methods."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from espalier.models.config import ChannelGroup, ChannelMask
from espalier.models.document import content_hash
from espalier.search.results import Effort
from espalier.search.spec import MethodSpec, Ranking
from espalier.search.version import VERSION

Scores = Mapping[str, Tensor]
"""Group name -> importance of each channel [width], finite, larger is more important, comparable across groups; or
block name -> its importance [1]; or parameter name -> importance of each weight, in its shape.

A group that is not named is cut last, when nothing else is left to cut."""

EFFORT = "effort"
"""What the file of remembered scores calls what they took."""


def top(groups: Sequence[ChannelGroup], scores: Scores, widths: Mapping[str, int]) -> ChannelMask:
    """The mask that keeps, in each group, as many of the highest scores as its width; ties go to the first.

    Where there are no scores, any channels are kept.
    """
    kept, anyhow = {}, torch.Generator().manual_seed(0)
    for group in groups:
        values = scores[group.name] if group.name in scores else torch.rand(group.width, generator=anyhow)
        mask = torch.zeros(group.width, dtype=torch.bool)
        mask[torch.sort(values, descending=True, stable=True).indices[: widths[group.name]]] = True
        kept[group.name] = mask
    return ChannelMask(kept)


def drawn(groups: Sequence[ChannelGroup], widths: Mapping[str, int], draw: int) -> ChannelMask:
    """A mask of these widths for networks without scores: any channels, drawn group by group.

    Which ones makes a difference only where groups select from a stream that others read, too. Were it the first ones
    everywhere, nobody would read the rest, and the baseline would be handicapped.
    """
    generator = torch.Generator().manual_seed(draw)
    return top(groups, {group.name: torch.rand(group.width, generator=generator) for group in groups}, widths)


def controlled(scores: Scores, control: Ranking | None, draw: int) -> Scores:
    """What a control makes of scores: the same numbers, on other channels. `draw` says which, where they are dealt."""
    if control == "reverse":
        return {name: -values for name, values in scores.items()}
    if control not in ("shuffled", "shuffled_across"):
        return scores
    generator = torch.Generator().manual_seed(draw)
    if control == "shuffled":
        return {name: _dealt(values.flatten(), generator).view(values.shape) for name, values in scores.items()}
    everything = torch.cat([values.flatten() for values in scores.values()]) if scores else torch.empty(0)
    dealt = _dealt(everything, generator).split([values.numel() for values in scores.values()])
    return {name: some.view(values.shape) for (name, values), some in zip(scores.items(), dealt, strict=True)}


def _dealt(values: Tensor, generator: torch.Generator) -> Tensor:
    return values[torch.randperm(len(values), generator=generator)]


class Scoring(NamedTuple):
    """Scores, and what they took."""

    scores: Scores
    effort: Effort


def remembered(cache: Path, method: MethodSpec, parent: Path, compute: Callable[[], Scoring]) -> Scoring:
    """A method's scores on a parent's weights, computed once and kept in `cache` for every budget, seed and start."""
    about = {"method": method.model_dump(), "parent": _content(parent), "espalier": VERSION}
    path = cache / "scores" / f"{content_hash(about)}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if path.exists():
            try:
                with safe_open(path, "pt") as file:
                    kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
                    return Scoring(kept, Effort.model_validate_json((file.metadata() or {})[EFFORT]))
            except (SafetensorError, KeyError):  # cut short by a kill or a full disk, or of an earlier release
                pass
        found = compute()
        scores = {name: values.detach().cpu().contiguous().clone() for name, values in found.scores.items()}
        new = path.with_suffix(".new")
        save_file(scores, new, {EFFORT: found.effort.model_dump_json()})
        new.replace(path)
        return Scoring(scores, found.effort)


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
