"""What a job's slimming parents keep of every layer where a share of all channels goes, as its paper counts:
`python -m benchmarks.kept SHARE JOB` for a job stored here."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from benchmarks.sparse_parents import SparseParent, sparse_parents
from espalier.app.tables import table


def main(share: Annotated[float, typer.Argument(min=0, max=1)], job: str) -> None:
    """One row for each parent, and one number for each norm, from the input on."""
    found = [(f"{one.candidate.arm.label}, seed {one.candidate.seed}", kept(share, one)) for one in sparse_parents(job)]
    columns = ("parent", "channels that stay")
    Console(width=160).print(table(f"Where {share:.0%} of all channels go, by one threshold", columns, found))


def kept(share: float, parent: SparseParent) -> str:
    """How many scales of each norm lie above the threshold below which this share of all lies."""
    scales = [values for _, values in parent.scales]
    threshold = np.quantile(np.concatenate(scales), share, method="inverted_cdf")
    return " ".join(str(int((values > threshold).sum())) for values in scales)


if __name__ == "__main__":
    typer.run(main)
