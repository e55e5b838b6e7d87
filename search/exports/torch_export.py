"""torch.export."""

from __future__ import annotations

import io
import warnings

import torch

from espalier.search.exports.base import Source, check_alike, example_for
from espalier.search.file import File


def to_torch_export(source: Source) -> File:
    """A `torch.export` program with a free batch dimension, for `torch.export.load`."""
    net, file = source.trained(), io.BytesIO()
    example = example_for(net, source.config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about each other
        program = torch.export.export(net, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        torch.export.save(program, file, extra_files=source.notes)
        file.seek(0)
        check_alike("torch.export", net, example, torch.export.load(file).module())
    return File(file.getvalue(), "application/octet-stream", "pt2")
