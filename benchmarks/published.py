"""Make the table of published results from ShrinkBench's: `python -m benchmarks.published CHECKOUT`.

CHECKOUT is a clone of https://github.com/JJGO/shrinkbench (MIT licence, which stands beside the table). A row is kept
if its network is one of ours on the same data, if it states the accuracy before *and* after (a stated difference alone
leaves its sign to be guessed), and if it states, without contradiction, which share of the parameters or of the
multiply-adds was left.
"""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from espalier.search.published import FILE

RESULTS = Path("analysis/assets/existing-results")
NETWORKS = {
    **{("CIFAR-10", f"ResNet-{depth}"): (f"resnet{depth}", "cifar10") for depth in (20, 32, 56, 110)},
    **{("ImageNet", f"ResNet-{depth}"): (f"torchvision/resnet{depth}", "imagenet") for depth in (18, 34, 50, 101)},
    ("ImageNet", "VGG-16"): ("torchvision/vgg16", "imagenet"),
    ("ImageNet", "AlexNet"): ("torchvision/alexnet", "imagenet"),
}
COLUMNS = ("arch", "dataset", "paper", "method", "params", "macs", "change")
AGREES = 0.02
"""How far two statements of one share may lie apart."""

Row = Mapping[str, str]


def main(checkout: Path) -> None:
    """Write the table, and the licence beside it."""
    papers = {row["Name"]: f"{row['AuthorName'].split(',')[0]} {row['Date'][:4]}" for row in _read(checkout, "Papers")}
    rows = sorted(filter(None, (_row(row, papers) for row in _read(checkout, "Results"))))
    with FILE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    shutil.copyfile(checkout / "LICENSE", FILE.with_suffix(".LICENSE"))
    sys.stdout.write(f"{len(rows)} results of {len({row[2] for row in rows})} papers\n")


def _read(checkout: Path, table: str) -> Iterator[Row]:
    with (checkout / RESULTS / f"{table}-Grid view.csv").open(newline="", encoding="utf-8-sig") as file:
        yield from csv.DictReader(file)


def _row(row: Row, papers: Mapping[str, str]) -> tuple[str, ...] | None:
    network = NETWORKS.get((row["Dataset"], row["Model"]))
    before = _first(_number(row["OrigTop1"]), _rest(_number(row["OrigErr1"])))
    after = _first(_number(row["Top1"]), _rest(_number(row["Err1"])))
    params = _share(row, "keptParams", "savedParams", "MParams", "OrigMParams", "old/new Nparam")
    macs = _share(row, "keptFLOPS", "savedFLOPS", "GFLOPS", "OrigGFLOPS", "old/new FLOPS")
    if network is None or before is None or after is None or (params is None and macs is None):
        return None
    shares = ["" if share is None else f"{share:.4g}" for share in (params, macs)]
    method = " ".join(filter(None, (row["Paper"], row["Method"])))
    return (*network, papers[row["Paper"]], method, *shares, f"{after - before:.4f}")


def _share(row: Row, kept: str, saved: str, now: str, once: str, times: str) -> float | None:
    """What is left: the mean of what the row says of it. None if it says nothing, or contradicts itself."""
    less, of, by = (_number(row[name]) for name in (now, once, times))
    said = [
        _number(row[kept]), _rest(_number(row[saved])), less / of if less and of else None, 1 / by if by else None,
    ]  # fmt: skip
    shares = [share for share in said if share is not None]
    if not shares or max(shares) - min(shares) > AGREES or not 0 < min(shares) <= 1:
        return None
    return sum(shares) / len(shares)


def _number(text: str) -> float | None:
    """Shares may be given in per cent."""
    text = text.strip()
    if not text:
        return None
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def _rest(share: float | None) -> float | None:
    return None if share is None else 1 - share


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
