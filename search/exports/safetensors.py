"""Trained weights."""

from __future__ import annotations

from espalier.models.weights import packed, read_weights
from espalier.search.errors import SpecError
from espalier.search.exports.base import Source
from espalier.search.file import File


def to_safetensors(source: Source) -> File:
    """Trained weights; the metadata carry the config, and how images are prepared."""
    source.check_not_lost()
    if source.weights is None:
        raise SpecError(
            "no weights of this architecture were kept; submit the job with keep_weights, or export another format"
        )
    state = read_weights(source.network.module, source.weights)
    return File(packed(state, source.notes), "application/octet-stream", "safetensors")
