"""The receipt as a table."""

from __future__ import annotations

import csv
import io

from espalier.models.network import Network
from espalier.search.exports import export
from tests.search.exports.helpers import pruned


def test_the_table_adds_up() -> None:
    config = pruned("mobilenet_v1")
    rows = list(csv.DictReader(io.StringIO(export("csv", config, None).content.decode())))
    assert list(rows[0]) == ["layer", "type", "in", "out", "kernel", "stride", "groups", "params", "macs"]
    assert (sum(int(r["params"]) for r in rows), sum(int(r["macs"]) for r in rows)) == Network.of(config).cost


def test_kernels_are_written_as_people_do() -> None:
    rows = list(csv.DictReader(io.StringIO(export("csv", pruned("lenet5"), None).content.decode())))
    assert rows[0]["kernel"] == "5x5"
    assert rows[-1]["kernel"] == ""
