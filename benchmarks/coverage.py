"""What of every architecture can be pruned, and that no cut changes what a network computes.

`python -m benchmarks.coverage docs/coverage.md` looks at all of them and writes the page; names may be given instead.
"""

from __future__ import annotations

import math
import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer

from espalier.app.client.tables import Table, table
from espalier.models.architectures import TORCHVISION, architecture, names
from espalier.models.config import ChannelConfig, Cost
from espalier.models.errors import ArchitectureError, ModelError, SurgeryError
from espalier.models.network import Network, dense, thinned
from espalier.models.self_check import random_mask, self_check
from espalier.models.tracing.coupling import Coupling
from espalier.search.errors import SearchError
from espalier.search.exports import export

MASKS = 3
SMALL_IMAGES = ((3, 32, 32), (3, 64, 64), (3, 96, 96), (3, 112, 112))
"""Sizes at which cuts are tried before the architecture's own: what is coupled is the same, and there is less to do."""
CLASSES = 10


class Covered(NamedTuple):
    """What was found of one architecture."""

    name: str
    cost: Cost = Cost(0, 0)
    published: str = ""
    """Whether parameters and multiply-adds are those that torchvision publishes."""
    groups: int = 0
    params: float = 0.0
    """Share of parameters on at least one prunable channel, in [0, 1]; likewise the next two."""
    macs: float = 0.0
    convolutions: float | None = None
    frozen: str = ""
    rebuilds: str = ""
    """Formats in which a cut network was exported and tried out."""
    refusal: str = ""
    seconds: float = 0.0


def cover(name: str, formats: tuple[str, ...] = ("python",)) -> Covered:
    """Trace an architecture at its own size, cut it, and export a cut one. Raises SurgeryError if a cut is wrong."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    try:
        whole = dense(name)
    except ModelError as error:
        return Covered(name, refusal=str(error))
    coupling = Network.of(whole).coupling
    params, macs = coupling.prunable()
    cost = coupling.cost(whole.widths)
    small = _smaller(name)
    self_check(small, MASKS, double=True)
    cut = thinned(Network.of(small), random_mask(Network.of(small).coupling.groups, seed=0))
    return Covered(
        name, cost, _published(name, cost), len(coupling.groups), params, macs, _convolutions(coupling),
        _reasons(coupling), ", ".join(_rebuilds(cut, formats)), "", time.perf_counter() - started,
    )  # fmt: skip


def _smaller(name: str) -> ChannelConfig:
    own = architecture(name).shape
    for shape in (*(SMALL_IMAGES if name.startswith(TORCHVISION) else ()), own):
        try:
            return dense(name, CLASSES, shape)
        except ArchitectureError:
            if shape == own:
                raise
    raise AssertionError("the architecture's own shape is the last")


def _published(name: str, cost: Cost) -> str:
    """Against the numbers that torchvision gives with its weights (billions of multiply-adds, to three places)."""
    if not name.startswith(TORCHVISION):
        return ""
    import torchvision

    meta = next(iter(torchvision.models.get_model_weights(name.removeprefix(TORCHVISION)))).meta
    same = [cost.params == meta["num_params"], abs(cost.macs / 1e9 - meta["_ops"]) < 1e-3]
    return {(True, True): "both", (True, False): "params", (False, True): "MACs"}.get((same[0], same[1]), "neither")


def _convolutions(coupling: Coupling) -> float | None:
    weights = [
        tensor for tensor, shape in coupling.shapes.items() if len(shape) == 4 and tensor in coupling.macs_per_weight
    ]
    total = sum(math.prod(coupling.shapes[tensor]) for tensor in weights)
    return 1 - sum(map(coupling.kept_part, weights)) / total if total else None


def _reasons(coupling: Coupling) -> str:
    """Why layers stay dense, and how many; the classifier's, which always does, is left out."""
    reasons = Counter(
        re.sub(r"\S+\.\S+|(?<=through )\w+", "…", reason) for _, reason in coupling.kept if reason != "network output"
    )
    return "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common())


def _rebuilds(config: ChannelConfig, formats: tuple[str, ...]) -> Iterator[str]:
    for format in formats:
        try:
            export(format, config, None)  # tried out before it is given
            yield format
        except SearchError as error:
            yield f"{format}: {error}"


def _covered(name: str, formats: tuple[str, ...]) -> Covered:
    try:
        return cover(name, formats)
    except SurgeryError as error:
        return Covered(name, refusal=f"WRONG: {error}")
    except ModelError as error:
        return Covered(name, refusal=str(error))


def sweep(chosen: Iterable[str], formats: tuple[str, ...] = ("python",), workers: int = 1) -> Iterator[Covered]:
    """Every architecture in a process of its own, so that one's memory is never another's."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, max_tasks_per_child=1) as pool:
        yield from pool.map(_covered, chosen, [formats] * len([*chosen]))


def page(rows: list[Covered]) -> str:
    """The page of documentation."""
    vision = [row for row in rows if row.name.startswith(TORCHVISION)]
    prunable = [row for row in vision if row.groups]
    refused = [row for row in rows if row.refusal]
    words = (
        f"{len(rows)} architectures, {len(vision)} of them torchvision's, of which {len(prunable)} have channels that "
        f"can be pruned ({100 * len(prunable) / max(1, len(vision)):.0f} %); {len(refused)} are refused, and "
        f"{sum(row.refusal.startswith('WRONG') for row in rows)} are cut wrongly."
    )
    return f"{HEAD}\n{words}\n\n{_table(rows).markdown()}\n"


HEAD = """# What of every architecture can be pruned

`python -m benchmarks.coverage docs/coverage.md` writes this page; `make test-long` checks the same.

Costs and shares are those of the network at its own size (10 classes in the zoo, 1000 in torchvision). *Prunable* is
the share that lies on at least one channel of a group; *convolutions* is that share of the convolutions' parameters.
Each was cut by three random masks, in double precision, at 32 px where the network takes that: it must compute what
the silenced one does, to 1e-9 of its largest output, or it would stand here as cut wrongly. *Published*: torchvision's
own numbers of parameters and multiply-adds, to three places, are the same as ours. *Frozen*: layers whose outputs stay
dense, and how many, without the last. *Python*: a cut network was written as one Python file, which built and ran it.

The exceptions: no convolution of ConvNeXt, ViT and Swin is in a group, because a layer norm reads its channels and
normalises over them, so that one cut would change all the others. Their linear layers can be cut.
"""


def _table(rows: list[Covered]) -> Table:
    columns = (
        "architecture", "params", "MACs", "published", "groups", "prunable params", "MACs ", "convolutions", "Python",
        "frozen",
    )  # fmt: skip
    return table("", columns, map(_cells, rows))


def _cells(row: Covered) -> tuple[str, ...]:
    if row.refusal:
        return (row.name, *[""] * 8, row.refusal)
    share = "-" if row.convolutions is None else f"{100 * row.convolutions:.1f} %"
    return (
        row.name, f"{row.cost.params:,}", f"{row.cost.macs:,}", row.published or "-", str(row.groups),
        f"{100 * row.params:.1f} %", f"{100 * row.macs:.1f} %", share,
        "yes" if row.rebuilds == "python" else row.rebuilds, row.frozen or "-",
    )  # fmt: skip


def main(
    path: Annotated[Path, typer.Argument(help="the page to write")],
    chosen: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="all, if none is given")] = None,
    workers: Annotated[int, typer.Option(min=1, help="at once; the largest takes 15 GB")] = 1,
) -> None:
    """Look at every architecture, and write what was found as a page."""
    rows = []
    for row in sweep(chosen or names(), workers=workers):
        rows.append(row)
        path.write_text(page(rows))  # so that a sweep that is stopped leaves what it found
        print(f"{row.name}: {row.refusal or f'{row.groups} groups, {row.seconds:.0f} s'}", flush=True)


if __name__ == "__main__":
    typer.run(main)
