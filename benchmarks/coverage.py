"""What of every architecture can be pruned, and that no cut changes what a network computes.

`python -m benchmarks.coverage docs/coverage.md` looks at the zoo and at torchvision, and writes the page; names may be
given instead. With `--package timm` it looks at networks of every family of timm's, drawn by seed, and with
`--package segmentation` at the decoders of segmentation_models_pytorch, where they are installed.
"""

from __future__ import annotations

import functools
import math
import multiprocessing
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Annotated, Literal, NamedTuple

import torch
import typer

from espalier.app.tables import Table, table
from espalier.models import from_timm
from espalier.models.architectures import architecture, names
from espalier.models.config import ChannelConfig, Cost
from espalier.models.errors import ArchitectureError, ModelError, SurgeryError
from espalier.models.from_torchvision import PREFIX as TORCHVISION
from espalier.models.network import Network, dense, thinned
from espalier.models.self_check import random_mask, randomise, self_check
from espalier.models.surgery import prune
from espalier.models.tracing.coupling import Coupling
from espalier.models.tracing.trace import trace
from espalier.search.errors import SearchError
from espalier.search.exports import export

MASKS = 3
SMALL_IMAGES = ((3, 32, 32), (3, 64, 64), (3, 96, 96), (3, 112, 112))
"""Sizes at which cuts are tried before the architecture's own: what is coupled is the same, and there is less to do."""
CLASSES = 10
LARGE = 40_000_000
"""Parameters from which on networks of a package are traced, but not cut: in double precision they take too long."""
SEGMENTATION = "segmentation/"
Package = Literal["torchvision", "timm", "segmentation"]


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
    is_convolutional: bool = False
    """Whether most of its parameters are those of convolutions."""
    attends: bool = False
    """Whether it multiplies activations with each other, as in attention."""
    frozen: str = ""
    rebuilds: str = ""
    """Formats in which a cut network was exported and tried out."""
    refusal: str = ""
    seconds: float = 0.0
    traced: float = 0.0
    """Seconds that tracing took, at the network's own size."""


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
    seconds = _tracing(whole)
    if name.startswith(from_timm.PREFIX) and cost.params > LARGE:
        return Covered(
            name, cost, "", len(coupling.groups), params, macs, *_convolutions(coupling), _reasons(coupling),
            "too large", "", time.perf_counter() - started, seconds,
        )  # fmt: skip
    small = _smaller(name)
    self_check(small, MASKS, double=True)
    cut = thinned(Network.of(small), random_mask(Network.of(small).coupling.groups, seed=0))
    return Covered(
        name, cost, _published(name, cost), len(coupling.groups), params, macs, *_convolutions(coupling),
        _reasons(coupling), ", ".join(_rebuilds(cut, formats)), "", time.perf_counter() - started, seconds,
    )  # fmt: skip


def _tracing(config: ChannelConfig) -> float:
    """Seconds that tracing takes."""
    skeleton = Network.of(config).on_meta()
    started = time.perf_counter()
    trace(skeleton, config.shape)
    return time.perf_counter() - started


def cover_decoder(name: str) -> Covered:
    """Trace a decoder of segmentation_models_pytorch, and cut it. Raises SurgeryError if a cut is wrong."""
    import segmentation_models_pytorch

    torch.set_num_threads(1)
    started = time.perf_counter()
    encoder = "tu-vit_tiny_patch16_224" if name == "dpt" else "resnet18"
    net = segmentation_models_pytorch.create_model(name, encoder, encoder_weights=None, classes=CLASSES).eval()
    began = time.perf_counter()
    coupling = trace(net, (3, 224, 224))
    seconds = time.perf_counter() - began
    params, macs = coupling.prunable()
    randomise(net.double(), torch.Generator().manual_seed(2))
    for seed in range(MASKS):
        prune(net, coupling, random_mask(coupling.groups, seed), check=True)
    return Covered(
        SEGMENTATION + name, coupling.cost(coupling.widths), "", len(coupling.groups), params, macs,
        *_convolutions(coupling), _reasons(coupling), "-", "", time.perf_counter() - started, seconds,
    )  # fmt: skip


def _smaller(name: str) -> ChannelConfig:
    own = architecture(name).shape
    for shape in (*(SMALL_IMAGES if name.startswith((TORCHVISION, from_timm.PREFIX)) else ()), own):
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


def _convolutions(coupling: Coupling) -> tuple[float | None, bool, bool]:
    """The share of convolutions' parameters that can be pruned, whether they are most of all, and whether activations
    are multiplied with each other beside them."""
    weights = [tensor for tensor, shape in coupling.shapes.items() if len(shape) == 4 and tensor not in coupling.fixed]
    total = sum(math.prod(coupling.shapes[tensor]) for tensor in weights)
    is_most = 2 * total > coupling.cost(coupling.widths).params
    return (1 - sum(map(coupling.kept_part, weights)) / total if total else None), is_most, coupling.activation_macs > 0


def _reasons(coupling: Coupling) -> str:
    """Why layers stay dense, and how many; the classifier's, which always does, is left out."""
    reasons = Counter(
        re.sub(r" in \S+, line \d+ \(.*?\)(?=$|, )|\S+\.\S+|(?<=through )\w+", "…", reason).replace("……", "…")
        for _, reason in coupling.kept
        if reason != "network output"
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
        if name.startswith(SEGMENTATION):
            return cover_decoder(name.removeprefix(SEGMENTATION))
        return cover(name, formats)
    except SurgeryError as error:
        return Covered(name, refusal=f"WRONG: {error}")
    except ModelError as error:
        return Covered(name, refusal=str(error))


def _of(package: Package, sample: int, seed: int) -> Iterator[str]:
    """The networks of a package that are looked at."""
    if package == "torchvision":
        yield from (name for name in names() if not name.startswith(from_timm.PREFIX))
    elif package == "timm":
        import timm

        draws = random.Random(seed)
        for family in timm.list_modules():
            found = timm.list_models(module=family)
            usual = [name for name in found if not re.search("large|huge|giant|gigantic|enormous|_xl", name)] or found
            yield from (from_timm.PREFIX + name for name in draws.sample(usual, min(sample, len(usual))))
    else:
        import segmentation_models_pytorch

        yield from (SEGMENTATION + name for name in segmentation_models_pytorch.MODEL_ARCHITECTURES_MAPPING)


def sweep(chosen: Iterable[str], formats: tuple[str, ...] = ("python",), workers: int = 1) -> Iterator[Covered]:
    """Every architecture in a process of its own, so that one's memory is never another's."""
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(functools.partial(_apart, formats=formats), chosen)


def _apart(name: str, formats: tuple[str, ...]) -> Covered:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_covered, name, formats).result()


def page(rows: list[Covered], package: Package = "torchvision") -> str:
    """The page of documentation."""
    traced = [row for row in rows if not row.refusal]
    convolutional = [row for row in traced if row.is_convolutional]
    alone = [row for row in convolutional if not row.attends]
    seconds = [row.traced for row in traced] or [0.0]
    wrong = sum(row.refusal.startswith("WRONG") for row in rows)

    def share(rows: list[Covered]) -> str:
        many = sum(row.params >= 0.9 for row in rows)
        return f"{many} of {len(rows)} ({100 * many / max(1, len(rows)):.0f} %)"

    refused = len(rows) - len(traced)
    words = (
        f"{len(rows)} networks: {len(traced)} are traced, and {sum(row.groups > 0 for row in traced)} of these have "
        f"channels that can be pruned; {refused} are refused, of which {wrong} would be cut wrongly. At least 90 % of "
        f"the parameters can be pruned in {share(traced)}, in {share(convolutional)} of those whose parameters are "
        f"mostly those of convolutions, and in {share(alone)} of these without attention. Tracing took "
        f"{median(seconds):.2f} s in the median, and {max(seconds):.1f} s at worst, on one thread."
    )
    return f"{HEADS[package]}\n{words}\n\n{_table(rows).markdown()}\n"


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

[timm's families](coverage-timm.md) and [decoders for segmentation](coverage-segmentation.md) have pages of their own.
"""
OTHERS = """
Each is traced at its own size; *prunable* is the share of parameters, or multiply-adds, that lies on at least one
channel of a group, *convolutions* that share of the convolutions' parameters. Each of up to {large:,} parameters was
cut by three random masks in double precision: it must compute what the silenced one does, to 1e-9 of its largest
output. *Frozen*: layers whose outputs stay dense, and how many, without the last.
"""
HEADS: dict[Package, str] = {
    "torchvision": HEAD,
    "timm": """# What of timm's networks can be pruned

`python -m benchmarks.coverage docs/coverage-timm.md --package timm` writes this page: one network of every family,
drawn by seed, but for the largest of each.
""" + OTHERS.format(large=LARGE),
    "segmentation": """# What of decoders for segmentation can be pruned

`python -m benchmarks.coverage docs/coverage-segmentation.md --package segmentation` writes this page: every decoder of
segmentation_models_pytorch, on a ResNet-18 (DPT: on a ViT).
""" + OTHERS.format(large=LARGE),
}  # fmt: skip
"""How the page of each package begins."""


def _table(rows: list[Covered]) -> Table:
    columns = (
        "architecture", "params", "MACs", "published", "groups", "prunable params", "MACs ", "convolutions", "Python",
        "frozen",
    )  # fmt: skip
    return table("", columns, map(_cells, rows))


def _rebuilt(row: Covered) -> str:
    """Whether it is written as one file; torchvision's and the zoo's say why not."""
    if row.name.startswith(from_timm.PREFIX) and row.rebuilds.startswith("python:"):
        return "no"
    return "yes" if row.rebuilds == "python" else row.rebuilds


def _cells(row: Covered) -> tuple[str, ...]:
    if row.refusal:
        return (row.name, *[""] * 8, row.refusal)
    share = "-" if row.convolutions is None else f"{100 * row.convolutions:.1f} %"
    return (
        row.name, f"{row.cost.params:,}", f"{row.cost.macs:,}", row.published or "-", str(row.groups),
        f"{100 * row.params:.1f} %", f"{100 * row.macs:.1f} %", share,
        _rebuilt(row), row.frozen or "-",
    )  # fmt: skip


def main(
    path: Annotated[Path, typer.Argument(help="the page to write")],
    chosen: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="all, if none is given")] = None,
    workers: Annotated[int, typer.Option(min=1, help="at once; the largest takes 15 GB")] = 1,
    package: Annotated[Package, typer.Option(help="whose networks")] = "torchvision",
    sample: Annotated[int, typer.Option(min=1, help="how many of each family of timm's")] = 1,
    seed: Annotated[int, typer.Option(help="by which they are drawn")] = 0,
) -> None:
    """Look at every architecture, and write what was found as a page."""
    rows = []
    for row in sweep(chosen or [*_of(package, sample, seed)], workers=workers):
        rows.append(row)
        path.write_text(page(rows, package))  # so that a sweep that is stopped leaves what it found
        print(f"{row.name}: {row.refusal or f'{row.groups} groups, {row.seconds:.0f} s'}", flush=True)


if __name__ == "__main__":
    typer.run(main)
