"""The receipt as a table."""

from __future__ import annotations

import csv
import io

from espalier.models.config import LayerCost
from espalier.models.cost import receipt
from espalier.search.exports.base import Source
from espalier.search.file import File


def to_csv(source: Source) -> File:
    """One line per layer: type, channels in and out, kernel, stride, groups, params, MACs."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = {"inputs": "in", "outputs": "out"}
    table.writerow([names.get(field, field) for field in LayerCost.model_fields])
    for row in receipt(source.config):
        table.writerow(["x".join(map(str, value)) if isinstance(value, tuple) else value for _, value in row])
    return File(text.getvalue().encode(), "text/csv", "csv")
